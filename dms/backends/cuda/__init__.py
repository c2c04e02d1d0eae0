"""The GPU through the CUDA runtime: memory, streams, graphs, and the crops of a frame in one launch.

`runtime` and `kernels` alone call the bindings. On them stand `memory` (host and device side of one buffer),
`graph` (work launched as one), `crops` (the kernels), `runner` (any `DeviceEngine` as a `Backend`) and
`chain` (one frame through several engines without leaving the device).
"""
