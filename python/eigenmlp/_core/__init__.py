"""The compiled core: one module for each level of instruction sets, and which of them runs."""
