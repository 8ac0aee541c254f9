from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.connect.mqtt.packets import ProtocolError
from gemel.connect.mqtt.topics import (
    FilterTree,
    TopicTree,
    check_filter,
    check_topic,
    matches,
    split_shared,
)
from gemel.core.errors import InvalidInput

level = st.sampled_from(["a", "b", "", "$x", "c"])
topic = st.lists(level, min_size=1, max_size=4).map("/".join).filter(bool)
pattern = st.builds(
    lambda parts, rest: "/".join([*parts, *rest]),
    st.lists(level | st.just("+"), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool) | st.just("#")


@pytest.mark.parametrize(
    ("topic_filter", "name", "is_match"),
    [
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("+", "/a", False),
        ("/+", "/a", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/b", "A/b", False),
    ],
)
def test_the_examples_of_the_standard_hold(topic_filter, name, is_match):
    assert matches(topic_filter, name) is is_match


@settings(max_examples=100)
@given(st.lists(pattern, max_size=12), topic)
def test_the_filter_tree_finds_what_each_filter_matches(filters, name):
    tree: FilterTree[str] = FilterTree()
    for topic_filter in filters:
        tree.put(topic_filter, topic_filter, topic_filter)
    assert sorted(tree.match(name)) == sorted({f for f in filters if matches(f, name)})


@settings(max_examples=100)
@given(st.lists(topic, max_size=12), pattern)
def test_the_topic_tree_finds_what_the_filter_matches(names, topic_filter):
    tree: TopicTree[str] = TopicTree()
    for name in names:
        tree.put(name, name)
    assert sorted(tree.match(topic_filter)) == sorted(
        {n for n in names if matches(topic_filter, n)}
    )


@given(st.lists(pattern, max_size=10), st.lists(topic, max_size=10))
def test_trees_are_empty_after_all_is_removed(filters, names):
    tree: FilterTree[int] = FilterTree()
    for topic_filter in filters:
        tree.put(topic_filter, 1, 1)
    for topic_filter in filters:
        tree.remove(topic_filter, 1)
    assert (tree.count, tree._root.children) == (0, {})
    topics: TopicTree[int] = TopicTree()
    for name in names:
        topics.put(name, 1)
    for name in names:
        topics.remove(name)
    assert (len(topics), topics._root.children) == (0, {})


@pytest.mark.parametrize("bad", ["", "a#", "a/#/b", "a+/b", "#/a", "/".join("a" * 129)])
def test_what_is_no_filter_is_refused(bad):
    with pytest.raises(ProtocolError):
        check_filter(bad)


@pytest.mark.parametrize("bad", ["$share/", "$share/g", "$share//a", "$share/g+/a", "$share/g/"])
def test_what_is_no_shared_filter_is_refused(bad):
    with pytest.raises(ProtocolError):
        split_shared(bad)


def test_a_shared_filter_has_a_group_and_a_filter():
    assert split_shared("$share/g/a/#") == ("g", "a/#")
    assert split_shared("a/#") == ("", "a/#")


@pytest.mark.parametrize("bad", ["", "a/+", "a/#", "a\0", "x" * 65_536])
def test_what_is_no_topic_is_refused_with_a_hint(bad):
    with pytest.raises(InvalidInput) as caught:
        check_topic(bad)
    assert caught.value.hint
