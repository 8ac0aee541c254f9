"""Joins the stages into one platform.

Reading order: `platform` (the loop), `points` (what a model means for ingest), `reactions` (rules,
alarms, commands), `views` (what people see), `tokens`, `config`, `plant_files`, `serve`.
"""
