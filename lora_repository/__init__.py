"""The LoRA versions on disk: contract, proof, switch and history. Knows no torch and no Textual."""
