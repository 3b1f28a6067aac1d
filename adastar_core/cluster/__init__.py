"""Generation in the actors of a Ray cluster, and training through Ray Train.

The flow, the store and every decision stay in the flow's process; the cluster only computes. Each node has the same version
of this project installed and sees models and the data directory under the same paths. Nothing here is imported where
``compute.backend`` is ``local``, so Ray need not be installed there.
"""
