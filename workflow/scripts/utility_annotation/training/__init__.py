"""Train a retriever on labelled candidate pools with one or many positives per query.

``data`` joins labels and pools into a memory-mapped file, ``plan`` decides queries and steps, ``sampling`` draws a
query's passages, ``batches`` marks positives and negatives, ``losses`` holds the equations, ``pooling`` turns token
vectors into text vectors, ``processes`` and ``gradients`` handle several devices and gradient caching, ``lora``
trains small matrices beside frozen weights, ``checkpoint`` keeps the state that survives a kill, ``dev`` evaluates
while the training runs and keeps the best weights, ``events`` writes TensorBoard's files, ``trainer`` is the loop.
"""
