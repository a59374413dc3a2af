"""A part of scripts that are interrupted: a thread that presses Ctrl-C, and when it did."""

PRESS = """\
pressed = []
def press():
    time.sleep(0.5)
    pressed.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
presser = threading.Thread(target=press)
presser.start()
"""
