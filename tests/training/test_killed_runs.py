"""A run that is killed goes on with the same bits."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eigenmlp._backends.facade import BACKENDS

backends = pytest.mark.parametrize("backend", BACKENDS)
PROGRAM = """
import sys
import eigenmlp as em
path, backend = sys.argv[1:]
X, y = em.datasets.load_digits()
try:
    trainer = em.Trainer.load(path, backend=backend)
except FileNotFoundError:
    net = em.MLP([64, 20, 10], seed=0, dropout=0.2, backend=backend)
    lr = em.schedules.ReduceOnPlateau(0.01, factor=0.5, patience=0, threshold=0.3)
    trainer = em.Trainer(net, em.Adam(lr, clip_norm=1.0), batch_size=50, seed=1, accumulate=2)

def save(epoch, history, net):
    trainer.save(path)
    print(trainer.epochs, flush=True)

trainer.run(X[:400], y[:400], 30 - trainer.epochs, callbacks=[save])
print("end", trainer.net.parameters.tobytes().hex(), trainer.lr, trainer.steps)
"""


@backends
def test_a_killed_run_goes_on_with_the_same_bits(backend: str, tmp_path: Path) -> None:
    """SIGKILL a few times at any moment; a file is saved after every epoch."""

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), backend]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = start("whole")
    expected = whole.communicate(timeout=120)[0].splitlines()[-1]
    for epochs in (2, 5, 9):
        killed = start("killed")
        assert killed.stdout is not None
        for line in killed.stdout:
            if int(line) >= epochs:
                break
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        killed.stdout.close()
    resumed = start("killed")
    lines = resumed.communicate(timeout=120)[0].splitlines()
    assert lines[-1] == expected and int(lines[0]) > 9
