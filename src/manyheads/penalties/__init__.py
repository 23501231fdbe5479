"""Extra terms that guard what was learned before (EWC, successive regularisation, distillation)."""
