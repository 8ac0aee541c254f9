"""Models and twins in other people's forms, both ways, and what each way loses.

Reading order: `losses` (the report that every conversion writes), `short_form`, `expand` and
`shorten` (models as an engineer writes them).
"""
