"""How a float graph becomes one that bears 8 bits: on Graph, and the same for every format.

`statistics` -> `equalisation` -> `ranges` -> `fitting`, which rounds the weights; `preparation`
is the way through, and chooses among these by images that were held out.
"""
