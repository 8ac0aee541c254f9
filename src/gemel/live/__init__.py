"""Who watches what: changes become frames for watchers, last value wins, nobody slows the loop."""
