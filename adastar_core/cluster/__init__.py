"""Beyond one machine: generation in the actors of a Ray cluster, and training through Ray Train.

The flow, the store and every decision stay where they are; the cluster computes what it is told and answers. Each of its
nodes has this project installed in the same version and sees models and the data directory under the same paths. Nothing
here is imported where ``compute.backend`` is ``local``, so Ray need not be installed there.
"""
