"""Numbers from predictions: metrics that can be resampled, the official rules of SQuAD, CoNLL and CoNLL-U."""
