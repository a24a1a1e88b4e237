"""SQLite: one file in the project's folder, in WAL mode.

`synchronous=NORMAL`: a commit is in the write-ahead log before the call returns, so that killing the process, or all of
them, loses nothing that was committed. A power loss or a crash of the operating system can cost the last moments of
commits that the disk had not yet received; it cannot damage the file.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from curation.backends.backend import BUSY_TIMEOUT_MS, LOCKED_REMEDY, WRITES, Backend, Place
from diagnostics.errors import ProjectError

NETWORK_FILESYSTEMS = frozenset((
    "nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "davfs2", "afs",
    "ncpfs", "coda", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "ocfs2", "gfs2",
    "fuse.sshfs", "fuse.smbnetfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.goofys",
    "fuse.gcsfuse", "fuse.davfs2", "fuse.nfs", "fuse.juicefs",
))  # fmt: skip

OUT_OF_SPACE = ("database or disk is full", "no space left")
LOCKED = ("database is locked", "database table is locked")
READ_ONLY = ("readonly database", "unable to open database file")
INSTEAD = "make it with its decisions on PostgreSQL: winnow init … --database postgresql://user@host/name"


def open_engine(place: Place) -> Engine:
    """The engine of a file.

    raises : ProjectError on a network mount, where the write-ahead log does not work
    """
    if place.url.database not in (None, "", ":memory:"):
        _refuse_network_mount(Path(str(place.url.database)))
    engine = sa.create_engine(place.url)
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def remedy_for(error: BaseException) -> str | None:
    """What to do about an error of SQLite, None if it is not one that a person can put right.

    >>> remedy_for(OSError("database or disk is full"))
    'Free some space on that disk, then try again.'
    """
    text = str(error).lower()
    if any(part in text for part in LOCKED):
        return LOCKED_REMEDY
    if any(part in text for part in OUT_OF_SPACE):
        return "Free some space on that disk, then try again."
    if any(part in text for part in READ_ONLY):
        return "Make the file and its folder writable for you."
    if "disk i/o error" in text:
        return "The disk does not take the data; check it and its free space."
    if "file is not a database" in text or "malformed" in text:
        return "The file is damaged or is no SQLite file; restore it from a backup."
    return None


def network_filesystem(path: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The kind of network file system that `path` lies on, None if it is local.

    mounts : (mount point, file system type) of everything mounted

    >>> network_filesystem(Path("/home/ada/p/project.db"), [("/", "ext4"), ("/home", "nfs4")])
    'nfs4'
    """
    best, kind = Path("/"), ""
    for point, filesystem in mounts:
        mount = Path(point)
        if path.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, filesystem.lower()
    return kind if kind in NETWORK_FILESYSTEMS else None


def _refuse_network_mount(path: Path) -> None:
    mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    kind = network_filesystem(path.resolve(), mounts)
    if kind is not None:
        raise ProjectError(
            f"{path} lies on a network mount ({kind}), where SQLite cannot keep decisions safe. Put the project on a "
            f"local disk, or {INSTEAD}"
        )


def _set_pragmas(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode not in ("wal", "memory"):
        raise ProjectError(
            f"SQLite cannot use its write-ahead log here (it answered {mode!r}). Put the project on a local disk, "
            f"or {INSTEAD}"
        )
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _named(url: URL) -> str:
    return str(url.database)


def _nothing(*_args: object) -> None:
    """The file is made when it is opened, belongs to the folder that it is in, and goes with it."""


SQLITE = Backend(
    name="sqlite",
    open_engine=open_engine,
    make_room=_nothing,
    check_owner=_nothing,
    clear=_nothing,
    named=_named,
    remedy_for=remedy_for,
)
