"""Other optimisers behind naxbo's strategy protocol, for comparisons: one module per library.

They need ``pip install naxbo[peers]``, or the extra of one library. All outcomes are black boxes to them: objectives
are given in the measure scale and limits as signed excesses, both of which they are told, never shown in advance.
They keep state of their own, so that a run resumed from a log need not repeat one that was not interrupted. They are
told of every design that was evaluated in full, asked by them or not, of failures, and of what is under way.
"""
