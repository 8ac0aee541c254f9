"""Modbus: a client that reads and writes registers of devices, over TCP and on serial lines.

Reading order: `settings` (what there is to say), `registers` (the map: what is read, by name),
`codec` (frames, no I/O), `values` (what bytes mean, both ways), `blocks` (neighbours in one
request), `wire` (TCP and serial lines), `exchange` (a request and its answer), `units` (who
answers), `writing`, `link` (reads for good, and tells what it cannot). No library is needed.

Source: MODBUS Application Protocol 1.1b3; MODBUS Messaging on TCP/IP 1.0b; Serial Line 1.02.
"""
