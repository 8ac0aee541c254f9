"""Roles, and what they are told when they lack a permission."""

from __future__ import annotations

import pytest

from gemel.core.access import ROLES, lacks


@pytest.mark.parametrize(
    ("permission", "able"),
    [
        ("alarms:write", "operator or engineer or admin"),
        ("rules:write", "engineer or admin"),
        ("tokens:read", "admin"),
    ],
)
def test_a_refusal_names_the_roles_that_may(permission: str, able: str) -> None:
    refusal = lacks("viewer", permission)
    assert refusal.message == f"role 'viewer' lacks the permission {permission}"
    assert refusal.hint.startswith(f"it takes {able}: ")


def test_every_permission_has_a_role_of_people() -> None:
    for permission in frozenset().union(*ROLES.values()):
        assert not lacks("device", permission).hint.startswith("it takes :")
