"""PromQL, the language of Prometheus, over columns: what Grafana asks of a Prometheus data source.

Reading order: `tree` (what a query is), `tokens` and `parser` (text to tree), `values` (what is
computed with), `evaluate` (a tree over a grid of moments), then what it calls: `windows` (functions
of ranges), `functions` (functions of vectors), `aggregate`, `binary`, `rewrite` (labels).
It knows neither twins nor history: `values.Source` gives it the series.
"""
