"""The C that `eigenmlp.codegen` writes."""
