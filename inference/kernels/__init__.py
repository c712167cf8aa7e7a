"""GPU kernels: Triton, and CUDA C++ where we lay out registers by hand."""
