"""Nothing is recorded, so nothing has to be made anonymous."""

from __future__ import annotations


def _nothing(*arguments: object, **options: object) -> None:
    pass


add_body_key_sanitizer = add_header_regex_sanitizer = _nothing
add_oauth_response_sanitizer = add_remove_header_sanitizer = _nothing
remove_batch_sanitizers = _nothing
