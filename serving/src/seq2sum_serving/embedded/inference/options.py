"""Inference options from flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InferenceOptions:
    """Options of all RPC methods, for all models."""

    check_method_names: bool = False
    """`--enable_signature_method_name_check`"""
    as_tensor_content: bool = False
    """`--enable_serialization_as_tensor_content`: replies carry raw bytes."""
