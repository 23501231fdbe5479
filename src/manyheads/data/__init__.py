"""Examples become batches: Arrow columns, tokens kept on disk, batches."""
