from __future__ import annotations

from gemel.core.batch import EMPTY, Reject
from gemel.history import rejects as module
from gemel.history.damage import DamageList
from gemel.history.files import Files

T0 = 1_700_000_000_000_000_000


def reject(i: int, twin: str = "pump-1", reason: str = "wrong-type") -> Reject:
    return Reject(T0 + i, T0 + i, twin, "flow", f'"{i}" \n', reason, "devices/x")


def test_rejects_survive_restart_and_sealing_newest_first(opened):
    history = opened()
    sent = [reject(i, f"pump-{i % 2}", "far-future" if i % 3 else "wrong-type") for i in range(20)]
    for i, one in enumerate(sent):
        opened.store(history, EMPTY, (one,))
        if i == 9:
            history.seal()
    for _ in range(2):
        assert history.rejects(None, 100) == sent[::-1]
        assert history.rejects("pump-1", 3) == [sent[19], sent[17], sent[15]]
        assert history.rejects("nobody", 3) == []
        assert history.reject_counts() == {"wrong-type": 7, "far-future": 13}
        assert history.reject_counts("pump-0") == {"wrong-type": 4, "far-future": 6}
        assert history.reject_counts("nobody") == {}
        history.close()
        history = opened()
    history.seal()
    assert history.rejects(None, 100) == sent[::-1]
    history.close()
    history = opened()
    assert history.rejects(None, 100) == sent[::-1]
    assert history.reject_counts() == {"wrong-type": 7, "far-future": 13}


def test_text_that_is_no_unicode_is_kept_as_far_as_it_can_be(opened):
    history = opened()
    odd = Reject(1, 2, "pump\ud800", "f", "\udcff", "undecodable")
    assert opened.store(history, EMPTY, (odd,)) is None
    history.close()
    assert opened().rejects(None, 1) == [Reject(1, 2, "pump?", "f", "?", "undecodable")]


def test_old_rejects_are_forgotten_but_counted(opened):
    history = opened(reject_bytes=1500)
    for i in range(10):
        opened.store(history, EMPTY, tuple(reject(i * 10 + k) for k in range(10)))
        history.seal()
    assert 10 <= len(history.rejects(None, 1000)) < 100
    assert history.rejects(None, 1) == [reject(99)]
    assert history.reject_counts() == {"wrong-type": 100}
    history.close()
    assert opened().reject_counts() == {"wrong-type": 100}


def test_junk_names_cannot_fill_the_memory(opened, monkeypatch):
    monkeypatch.setattr(module, "TWINS_COUNTED", 3)
    history = opened()
    opened.store(history, EMPTY, tuple(reject(i, f"junk-{i}") for i in range(10)))
    history.seal()
    history.close()
    history = opened()
    assert history.reject_counts() == {"wrong-type": 10}
    assert history.reject_counts("junk-1") == {"wrong-type": 1}
    assert history.reject_counts("*") == {"wrong-type": 7}
    assert len(history.rejects("junk-9", 10)) == 1


def test_damaged_rejects_are_named(opened):
    history = opened()
    opened.store(history, EMPTY, (reject(1),))
    history.seal()
    (path,) = (opened.folder / "rejects").iterdir()
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 1
        path.write_bytes(broken)
        found, damage = read_anew(path)
        assert found == []
        assert [d.file for d in damage] == [f"rejects/{path.name}"]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found, damage = read_anew(path)
        assert found == []
        assert damage


def read_anew(path):
    damage = DamageList()
    store = module.Rejects(path.parent, Files(), damage, 1 << 20)
    return store.newest(None, 5), list(damage)
