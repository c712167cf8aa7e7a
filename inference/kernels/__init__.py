"""What runs on a GPU in one piece: Triton; CUDA C++ where registers are laid out by hand."""
