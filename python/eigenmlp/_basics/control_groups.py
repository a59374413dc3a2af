"""What the system's control groups say of this process, in version 1 and 2."""

from __future__ import annotations


def groups(controller: str) -> list[str]:
    """Folders of the groups that this process is in, from the outermost; not all need be there."""
    found: list[str] = []
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        group = "/sys/fs/cgroup" + (f"/{controller}" if controllers else "")
        found.append(group)
        for name in path.strip("/").split("/"):
            group += f"/{name}"
            found.append(group)
    return found


def read(path: str) -> str:
    """A file's text; empty if it is not there. (`pathlib` would double the time of an import.)"""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
