"""What routes answer, as typed dictionaries; a `Route` names its own in `answer`.

Read `schema` first: it makes JSON schemas of them for the OpenAPI document, from which the types
of the page are made (`scripts/page_types.py`, one file a module). Then a module for each face:
`twins`, `graph`, `history`, `alarms`, `rules`, `notify`, `commands`, `services`, `scenarios`,
`value`, `scene`, `installation`. Field names are those of the wire; a name of a type stands once
in all of them.
"""
