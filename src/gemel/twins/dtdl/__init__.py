"""Digital Twins Definition Language: models are read, checked and made into interfaces.

Reading order: `interface` and `schema` (what the platform knows about a model), `parser` (the way
in), then the stages it runs: `reader` (JSON to elements, by the table in `metamodel`, with `kinds`,
`context` and `literals`), `references`, `structure`, `supplements`, `build`. `standards` holds what
the language itself defines, `dtmi` the syntax of ids, `instances` judges values letter by letter,
`infer` makes a model from samples.
"""
