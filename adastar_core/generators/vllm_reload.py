"""Other weights for a running vLLM engine. Loaded by vLLM's workers; nothing else imports it."""

from vllm.platforms import current_platform


class CheckpointReload:
    """Gives every worker of an engine the method ``reload_checkpoint`` (vLLM's ``worker_extension_cls``)."""

    def reload_checkpoint(self, path: str) -> None:
        """Read the weights of another checkpoint of the same architecture into the model.

        On a CPU the output layer computes with a copy of its weights in another layout. vLLM makes that anew only where the
        checkpoint has weights for it, and with tied embeddings it has none: the old ones would go on answering.
        """
        self.reload_weights(weights_path=path)  # type: ignore[attr-defined]  # vLLM mixes this class into its worker
        if current_platform.is_cpu():
            self._repack_output_layer()

    def _repack_output_layer(self) -> None:
        from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

        for module in self.model_runner.get_model().modules():  # type: ignore[attr-defined]  # the worker's
            if isinstance(module, ParallelLMHead) and hasattr(module, "cpu_linear"):
                dispatch_cpu_unquantized_gemm(module, remove_weight=False)
