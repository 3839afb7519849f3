"""Training a retriever on labelled candidate pools with one or many positives a query.

``data`` joins labels and pools into a memory-mapped file, ``plan`` decides queries and steps, ``sampling`` draws a
query's passages, ``batches`` says who is positive and negative for whom, ``losses`` holds the equations, ``pooling``
the ways from the vectors of tokens to that of a text, ``processes`` and ``gradients`` the scheme over several devices
and with gradient caching, ``checkpoint`` the state that survives a kill, ``trainer`` the loop.
"""
