"""Opening: network file systems are refused with the reason."""

from __future__ import annotations

import pytest

from tallybook.model.errors import StorageError
from tallybook.store.open import file_system_of, refuse_network

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/shared /shared nfs4 rw 0 0
/dev/sdb1 /shared/local\\040disk ext4 rw 0 0
//nas/share /mnt/nas cifs rw 0 0
"""


def test_the_innermost_mount_tells_the_file_system(tmp_path):
    from pathlib import Path

    assert file_system_of(Path("/shared/ada/.llm-telemetry"), MOUNTS) == "nfs4"
    assert file_system_of(Path("/shared/local disk/x"), MOUNTS) == "ext4"
    assert file_system_of(Path("/sharedwork"), MOUNTS) == "ext4"
    assert file_system_of(tmp_path, "") is None


def test_a_network_file_system_is_refused_with_the_reason():
    from pathlib import Path

    with pytest.raises(StorageError, match=r"network file system \(cifs\)"):
        refuse_network(Path("/mnt/nas/telemetry"), MOUNTS)
    refuse_network(Path("/var/lib/x"), MOUNTS)
