"""From YAML text to a validated config: nodes with positions, overrides, diagnostics."""
