"""Workers serve with the TLS files that were verified last, whatever has become of the originals."""

import stat
from pathlib import Path

import pytest
from tests.http1.certificates import make

from foregate.app.config import ConfigRefused
from foregate.app.kept_files import forget_others, with_kept_files
from foregate.app.paths import DataDir
from foregate.http1.tls import Certificate, ServerCertificates, client_context
from foregate.wire.snapshot import Certificate as Named
from foregate.wire.snapshot import Listener, Service, Snapshot, UpstreamTls


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.create()
    return made


def listening(pair: Certificate) -> Snapshot:
    return Snapshot("1", listeners=(Listener(certificates=(Named(pair.certificate, pair.key),)),))


def kept(snapshot: Snapshot) -> Certificate:
    named = snapshot.listeners[0].certificates[0]
    return Certificate(named.certificate, named.key)


def test_a_pair_is_kept_readable_by_its_owner_alone_and_can_be_served(tmp_path: Path, data: DataDir) -> None:
    pair = make(tmp_path, "a", "a.example")
    copy = kept(with_kept_files(data, listening(pair)))
    Path(pair.certificate).write_text("broken")
    Path(pair.key).unlink()
    assert ServerCertificates([copy]).names == ("a.example",)
    assert stat.S_IMODE(Path(copy.key).stat().st_mode) == 0o600
    assert stat.S_IMODE(data.certificates.stat().st_mode) == 0o700


def test_a_broken_pair_is_refused_by_the_name_of_its_file_and_the_good_copy_stays(
    tmp_path: Path, data: DataDir
) -> None:
    pair = make(tmp_path, "a", "a.example")
    copy = kept(with_kept_files(data, listening(pair)))
    for content in ("", Path(make(tmp_path, "b", "b.example").key).read_text()):
        Path(pair.key).write_text(content)
        with pytest.raises(ConfigRefused) as refused:
            with_kept_files(data, listening(pair))
        assert pair.certificate in str(refused.value)
        assert str(data.root) not in str(refused.value)
        assert ServerCertificates([copy]).names == ("a.example",)
    assert list(data.certificates.iterdir()) == [Path(copy.key)]


def test_a_renewed_pair_takes_the_place_of_the_old_one_and_the_same_is_not_written_again(
    tmp_path: Path, data: DataDir
) -> None:
    pair = make(tmp_path, "a", "a.example")
    copy = kept(with_kept_files(data, listening(pair)))
    before = Path(copy.key).stat()
    assert kept(with_kept_files(data, listening(pair))) == copy
    assert Path(copy.key).stat().st_ino == before.st_ino
    renewed = make(tmp_path, "b", "b.example")
    Path(pair.certificate).write_text(Path(renewed.certificate).read_text())
    Path(pair.key).write_text(Path(renewed.key).read_text())
    assert kept(with_kept_files(data, listening(pair))) == copy
    assert ServerCertificates([copy]).names == ("b.example",)


def test_the_files_for_upstreams_are_kept_too_and_those_that_nobody_names_are_deleted(
    tmp_path: Path, data: DataDir
) -> None:
    pair = make(tmp_path, "a", "a.example")
    tls = UpstreamTls(ca_file=pair.certificate, certificate=pair.certificate, key=pair.key)
    copies = with_kept_files(data, Snapshot("1", services=(Service("s", (), tls=tls),))).services[0].tls
    assert copies.ca_file is not None
    assert copies.certificate is not None
    assert copies.key is not None
    for file in (pair.certificate, pair.key):
        Path(file).unlink()
    client_context(ca_file=copies.ca_file, certificate=Certificate(copies.certificate, copies.key))
    forget_others(data, Snapshot("1", services=(Service("s", (), tls=copies),)))
    assert len(list(data.certificates.iterdir())) == 2
    forget_others(data, Snapshot("1"))
    assert list(data.certificates.iterdir()) == []


def test_without_tls_there_is_nothing_to_keep(data: DataDir) -> None:
    snapshot = Snapshot("1", listeners=(Listener(),), services=(Service("s", ()),))
    assert with_kept_files(data, snapshot) == snapshot
    forget_others(data, snapshot)
    assert not data.certificates.exists()


def test_a_damaged_copy_is_made_anew(tmp_path: Path, data: DataDir) -> None:
    pair = make(tmp_path, "a", "a.example")
    copy = kept(with_kept_files(data, listening(pair)))
    Path(copy.key).write_bytes(b"\xff\xfe")
    assert kept(with_kept_files(data, listening(pair))) == copy
    assert ServerCertificates([copy]).names == ("a.example",)


def test_what_cannot_be_deleted_is_left(tmp_path: Path, data: DataDir) -> None:
    snapshot = with_kept_files(data, listening(make(tmp_path, "a", "a.example")))
    (data.certificates / "a folder").mkdir()
    (data.certificates / "old.pem").touch()
    forget_others(data, snapshot)
    assert sorted(file.name for file in data.certificates.iterdir()) == sorted(
        ["a folder", Path(kept(snapshot).key).name]
    )
