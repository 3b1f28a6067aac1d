"""Other weights for a running vLLM engine. Loaded by vLLM's workers; nothing else imports it."""

from vllm.platforms import current_platform


class CheckpointReload:
    """Gives every worker of an engine the method ``reload_checkpoint`` (vLLM's ``worker_extension_cls``)."""

    def reload_checkpoint(self, path: str) -> None:
        """Read the weights of another checkpoint of the same architecture into the model.

        On a CPU the output layer computes with a copy of its weights in another layout. vLLM rebuilds the copy only if the
        checkpoint has weights for that layer. With tied embeddings it has none, and the old copy would keep answering.
        """
        self.reload_weights(weights_path=path)  # type: ignore[attr-defined]  # vLLM mixes this class into its worker
        if not current_platform.is_cpu():
            return
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

        for module in self.model_runner.get_model().modules():  # type: ignore[attr-defined]  # the worker's
            if isinstance(module, ParallelLMHead) and hasattr(module, "cpu_linear"):
                dispatch_cpu_unquantized_gemm(module, remove_weight=False)
