"""Fleet: one command over many drives, on this machine or on a cluster of Ray (the extra ``fleet``).

inputs      paths, patterns and URLs ─► drives, each with a name
processing  drives ─► Ray Data ─► workers; one actor each, with its models opened once ─► entries
worker      a drive ─► a job's work, frame by frame ─► OUT/NAME, its last file done.json or failed.json
table       entries ─► OUT/drives.parquet

A command says in a ``Job`` what it does with a drive. ``cluster`` alone imports Ray, when it starts.
"""
