"""How much the system takes, how many workers a load needs, and what gives first when it grows.

    measure ──> points ──> usl (fit) ──> forecast ──> page
                             queueing ───┘

Everything but `measure` is pure.
"""
