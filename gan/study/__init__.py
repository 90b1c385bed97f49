"""What is declared: params.yaml, validated, and the rules of the claims."""
