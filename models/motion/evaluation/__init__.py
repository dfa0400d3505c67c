"""How sampled motion is judged: the evaluator network, its metrics, physical metrics, memorisation, reports."""
