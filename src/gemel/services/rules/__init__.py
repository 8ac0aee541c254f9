"""Rules: a text such as `temperature > 80 °C for 5 minutes`, evaluated over columns of readings.

Reading order: `expression` (what a rule says, as a tree), `parser` (text to tree), `quantity`
(units), `compiler` (tree and model to a numpy kernel), `rule` (a rule as people save it), `table`
(all instances of all rules in columns), `known` (what is known of signals and twins), `moments` (a
batch as moments to evaluate), `runs` (delays on and off), `watched` (which rules on which twins),
`engine` (joins them), `snapshot` (the engine's memory as bytes). Rules about time and relatives:
`clock` (their columns), `clocked` (what rules make of a second), `behind` and `catch_up` (twins
whose readings come late in order). What comes late: `belated` and `noting` (what it is), `told`
(what rules told), `whole` and `holding` (what they should have), `against_history` (both).
"""
