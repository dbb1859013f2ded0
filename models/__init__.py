"""Pure `nn.Module`s and losses: tensors in, tensors out."""
