"""Damage to a data folder, and what a check and a server make of it.

`made` makes a folder with a file of every kind, `striking` harms a file of it, `asked` asks a
server that runs on it, `judging` tells what came of it; `trial` does that in turn.
"""
