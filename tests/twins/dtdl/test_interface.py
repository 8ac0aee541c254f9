from __future__ import annotations

from gemel.twins.dtdl.interface import Interface


def interface(**names: str) -> Interface:
    one = "dtmi:com:example:FeedPump;2"
    return Interface(one, 3, names, {}, (), frozenset({one}), {})


def test_title_prefers_english_then_any_language_then_the_id() -> None:
    assert interface(de="Pumpe", en="Pump").title == "Pump"
    assert (
        Interface("dtmi:a:B;1", 3, {"de": "P", "en-US": "Q"}, {}, (), frozenset(), {}).title == "Q"
    )
    assert interface(de="Pumpe").title == "Pumpe"
    assert interface().title == "FeedPump"
    assert interface(en="").title == "FeedPump"
