// out[m, n] = sum over k of x[m, k] * W[n, k], for few rows m (1 to 64): one pass over the weights.
//
// The weights are the left operand of mma.m16n8k16, the activations the right one: a tile is full
// of output features however small the batch. 4-bit and 8-bit weights are stored in the order in
// which a warp's lanes hold that operand (inference/kernels/skinny.py packs them), so every load is
// sixteen bytes per lane, contiguous across the warp; they become bfloat16 in registers.
//
// Within 64 inputs the order of k is free, as long as both operands agree. In step s of four (sixteen
// k each), lane t of four holds k = 32 * (s / 2) + 8 * t + 4 * (s % 2) + {0, 1, 2, 3}: so loads of a
// row of x, or of 16-bit weights, are sixteen bytes per lane too.
//
// Blocks split the inputs and write partial sums, float32[splits, m, n]; the next kernel (norm,
// rotary embedding, activation) adds them. Nothing is atomic: the same input gives the same bits.
//
// Macros: BITS (4, 8, 16), M_TILES (of 8 rows), N_TILES (of 16 features, per warp), WARPS_N, WARPS_K,
// STAGES (loads in flight per warp), MIN_BLOCKS (per multiprocessor), SCALE_WEIGHTS_FIRST (4 bits:
// scale each weight before the product instead of each block's sum: fewer registers, one more
// rounding), and for 4 bits: INTEGERS (0: NF4's values), SCALES (per row and 64 inputs: 1 or 2),
// ZEROS (1: each scale has an integer that means zero; 0: it is 8), WIDE_TABLE (see TABLE_STRIDE).

// Compiled at run time, without CUDA's headers: 16-bit numbers are held as raw bits.

typedef unsigned int u32;
typedef unsigned short bf16;
typedef unsigned short f16;

constexpr int THREADS = 32 * WARPS_N * WARPS_K;
constexpr int K_BLOCK = 64;
constexpr int BLOCK_ROWS = 16 * N_TILES * WARPS_N;
constexpr int LOADS = BITS / 4;  // of 16 bytes, per lane and tile of 16 x 64 weights
constexpr int LIVE = N_TILES * M_TILES * 4;

#if BITS == 4
constexpr int GROUP_STEPS = 4 / SCALES;  // of sixteen inputs that share a scale
#if !INTEGERS
// bitsandbytes' NF4, sources: Dettmers et al., arXiv:2305.14314, appendix E.
__constant__ float NF4[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};
#endif

__device__ __forceinline__ float value_of(int nibble) {
#if INTEGERS
    return static_cast<float>(nibble - 8);
#else
    return NF4[nibble];
#endif
}
#endif

__device__ __forceinline__ uint4 load_weights(const uint4* address) {
    uint4 value;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w) : "l"(address));
    return value;
}

__device__ __forceinline__ u32 bf16_pair(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// Two products of bfloat16.
__device__ __forceinline__ u32 times(u32 pair, u32 by) {
    u32 product;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(product) : "r"(pair), "r"(by), "r"(0x80008000u));
    return product;
}

// Less a zero, both bfloat16: small integers, so the result is exact.
__device__ __forceinline__ u32 minus(u32 pair, u32 zero) {
    u32 difference;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;"
        : "=r"(difference) : "r"(zero), "r"(0xbf80bf80u), "r"(pair));
    return difference;
}

// Of a byte of two zeros: how far it is from the 8 that the table has taken off.
__device__ __forceinline__ float zero_of(u32 zeros, int half) {
    return static_cast<float>(static_cast<int>(zeros >> (8 * half) & 0xffu) - 8);
}

__device__ __forceinline__ float of_f16(u32 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<f16>(bits)));
    return value;
}

__device__ __forceinline__ uint4 load_activations(const bf16* address) {
    return *reinterpret_cast<const uint4*>(address);
}

__device__ __forceinline__ void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ u32 word(const uint4& value, int index) {
    return index == 0 ? value.x : index == 1 ? value.y : index == 2 ? value.z : value.w;
}

// 4 bits: a table from each byte to its pair of weights, in shared memory at TABLE_AT + TABLE_STRIDE *
// byte + 4 * lane: every lane has a copy of its own, in its own bank. If the stride is 256, one
// instruction makes the offset of a byte and a lane, and half of the space is unused; if it is 128, two
// do. As the place is constant, none adds it. What the launch asks for begins at 1024 or earlier: below
// lies the driver's own.
extern __shared__ u32 shared[];
constexpr int TABLE_AT = 1024;
constexpr int TABLE_STRIDE = WIDE_TABLE ? 256 : 128;
constexpr int TABLE_WORDS = BITS == 4 ? (TABLE_AT + 256 * TABLE_STRIDE) / 4 : 0;

// By a block of BLOCK threads, sixteen bytes (of one pair) each at a time.
template <int BLOCK>
__device__ __forceinline__ void fill_table() {
#if BITS == 4
#pragma unroll
    for (int turn = 0; turn < 256 * 8 / BLOCK; turn++) {
        const int i = threadIdx.x + BLOCK * turn, byte = i / 8;
        const u32 pair = bf16_pair(value_of(byte & 15), value_of(byte >> 4));
        asm volatile("st.shared.v4.u32 [%0], {%1, %1, %1, %1};"
            :: "r"(TABLE_AT + TABLE_STRIDE * byte + 16 * (i % 8)), "r"(pair) : "memory");
    }
    __syncthreads();
#endif
}

__device__ __forceinline__ u32 from_table(u32 offset) {
    u32 pair;
    asm volatile("ld.shared.u32 %0, [%1 + %2];" : "=r"(pair) : "r"(offset), "n"(TABLE_AT));
    return pair;
}

// The left operand of step s, unpacked from what the lane has loaded.
__device__ __forceinline__ void dequantize(
    u32 (&a)[4], const uint4 (&w)[LOADS], int s, u32 lane) {
#if BITS == 4
    // A byte is two adjacent weights: the table maps it to a pair of bfloat16.
    const u32 bytes = word(w[0], s);
#pragma unroll
    for (int r = 0; r < 4; r++) {
#if WIDE_TABLE
        a[r] = from_table(__byte_perm(bytes, 4 * lane, 0x5504 | r << 4));  // 0, 0, byte r, 4 * lane
#else
        const u32 shifted = r == 0 ? bytes << 7 : bytes >> (8 * r - 7);
        a[r] = from_table((shifted & 0x7f80u) | 4 * lane);
#endif
    }
#elif BITS == 8
    // Stored as w + 128, the lowest byte of the float 2^23 + w + 128.
    const u32 rows[2] = {word(w[s / 2], 2 * (s % 2)), word(w[s / 2], 2 * (s % 2) + 1)};
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const u32 four = rows[r & 1];
        const float low = __uint_as_float(__byte_perm(four, 0x4b000000u, r < 2 ? 0x7440 : 0x7442));
        const float high = __uint_as_float(__byte_perm(four, 0x4b000000u, r < 2 ? 0x7441 : 0x7443));
        a[r] = bf16_pair(low - 8388736.0f, high - 8388736.0f);
    }
#else
    // w[0], w[1]: row g, k of steps 0-1 and 2-3; w[2], w[3]: row g + 8.
#pragma unroll
    for (int r = 0; r < 4; r++) a[r] = word(w[2 * (r & 1) + s / 2], 2 * (s % 2) + r / 2);
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS, MIN_BLOCKS) skinny(
    const void* __restrict__ weights,   // 4, 8 bits: [n / 16][k / 64][LOADS][32] uint4; 16: [n][k]
    const f16* __restrict__ scales,  // 4 bits: [n / 16][k / 64][SCALES][8][2]
    const unsigned short* __restrict__ zeros,  // 4 bits: two bytes for each two of the scales
    const float* __restrict__ row_scales,  // 8 bits: [n]
    const bf16* x,                // [m, k]; the kernel before may still be writing it
    float* __restrict__ out,               // [splits, m, n]
    int m, int n, int k, int splits) {
    float* sums = reinterpret_cast<float*>(shared + TABLE_WORDS);  // [WARPS_K - 1][WARPS_N][LIVE][32]
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int warp_n = warp % WARPS_N, warp_k = warp / WARPS_N;
    const int g = lane / 4, t = lane % 4;
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
    const int k_blocks = k / K_BLOCK, tiles = n / 16;
    const int blocks_n = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const bf16* rows[M_TILES];
#pragma unroll
    for (int mt = 0; mt < M_TILES; mt++)
        rows[mt] = x + static_cast<long long>(min(mt * 8 + g, m - 1)) * k + 8 * t;

    for (int item = blockIdx.x; item < blocks_n * splits; item += gridDim.x) {
        const int split = item % splits, block_n = item / splits;
        const int first = static_cast<int>(static_cast<long long>(k_blocks) * split / splits);
        const int last = static_cast<int>(static_cast<long long>(k_blocks) * (split + 1) / splits);
        const int tile0 = (block_n * WARPS_N + warp_n) * N_TILES;

        float acc[N_TILES][M_TILES][4] = {};
        uint4 w[STAGES][N_TILES][LOADS];
#if BITS == 4
        u32 scale[STAGES][N_TILES][SCALES];  // of rows g and g + 8
#if ZEROS
        u32 zero[STAGES][N_TILES][SCALES];
#endif
#endif

        auto fetch = [&](int stage, int kb) {
#pragma unroll
            for (int nt = 0; nt < N_TILES; nt++) {
                const int tile = min(tile0 + nt, tiles - 1);
#if BITS == 16
                const bf16* row = static_cast<const bf16*>(weights)
                    + static_cast<long long>(tile * 16 + g) * k + kb * K_BLOCK + 8 * t;
#pragma unroll
                for (int i = 0; i < 4; i++)
                    w[stage][nt][i] = load_weights(reinterpret_cast<const uint4*>(
                        row + (i / 2) * 8ll * k + (i % 2) * 32));
#else
                const long long at = static_cast<long long>(tile) * k_blocks + kb;
#pragma unroll
                for (int i = 0; i < LOADS; i++)
                    w[stage][nt][i] = load_weights(
                        static_cast<const uint4*>(weights) + (at * LOADS + i) * 32 + lane);
#if BITS == 4
#pragma unroll
                for (int i = 0; i < SCALES; i++) {
                    const long long of_group = (at * SCALES + i) * 8 + g;
                    scale[stage][nt][i] = reinterpret_cast<const u32*>(scales)[of_group];
#if ZEROS
                    zero[stage][nt][i] = zeros[of_group];
#endif
                }
#endif
#endif
            }
        };

#pragma unroll
        for (int stage = 0; stage < STAGES; stage++)
            if (first + warp_k + stage * WARPS_K < last) fetch(stage, first + warp_k + stage * WARPS_K);

        if (item == blockIdx.x) {
            fill_table<THREADS>();
            // The weights do not depend on the kernel before; everything below does.
#if __CUDA_ARCH__ >= 900
            asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
        }
        for (int kb0 = first + warp_k; kb0 < last; kb0 += STAGES * WARPS_K) {
#pragma unroll
            for (int stage = 0; stage < STAGES; stage++) {
                const int kb = kb0 + stage * WARPS_K;
                if (kb >= last) break;
                uint4 xs[M_TILES][2];
#pragma unroll
                for (int mt = 0; mt < M_TILES; mt++) {
                    xs[mt][0] = load_activations(rows[mt] + kb * K_BLOCK);
                    xs[mt][1] = load_activations(rows[mt] + kb * K_BLOCK + 32);
                }
#pragma unroll
                for (int nt = 0; nt < N_TILES; nt++) {
#if BITS == 4 && !SCALE_WEIGHTS_FIRST
                    float block[M_TILES][4] = {};
#endif
#pragma unroll
                    for (int s = 0; s < 4; s++) {
                        u32 a[4];
                        dequantize(a, w[stage][nt], s, lane);
#if BITS == 4
                        const int group = s / GROUP_STEPS;
                        const u32 scales_of_group = scale[stage][nt][group];
                        const float by[2] = {
                            of_f16(scales_of_group), of_f16(scales_of_group >> 16)};
#if ZEROS
                        const float from[2] = {
                            zero_of(zero[stage][nt][group], 0), zero_of(zero[stage][nt][group], 1)};
                        const u32 off[2] = {
                            bf16_pair(from[0], from[0]), bf16_pair(from[1], from[1])};
#pragma unroll
                        for (int r = 0; r < 4; r++) a[r] = minus(a[r], off[r & 1]);
#endif
#if SCALE_WEIGHTS_FIRST
                        const u32 both[2] = {bf16_pair(by[0], by[0]), bf16_pair(by[1], by[1])};
#pragma unroll
                        for (int r = 0; r < 4; r++) a[r] = times(a[r], both[r & 1]);
#endif
#endif
#pragma unroll
                        for (int mt = 0; mt < M_TILES; mt++) {
                            const u32 b0 = word(xs[mt][s / 2], 2 * (s % 2));
                            const u32 b1 = word(xs[mt][s / 2], 2 * (s % 2) + 1);
#if BITS == 4 && !SCALE_WEIGHTS_FIRST
                            mma(block[mt], a, b0, b1);
#else
                            mma(acc[nt][mt], a, b0, b1);
#endif
                        }
#if BITS == 4 && !SCALE_WEIGHTS_FIRST
                        if (s % GROUP_STEPS == GROUP_STEPS - 1)
#pragma unroll
                            for (int mt = 0; mt < M_TILES; mt++)
#pragma unroll
                                for (int i = 0; i < 4; i++) {
                                    acc[nt][mt][i] += by[i / 2] * block[mt][i];
                                    block[mt][i] = 0.0f;
                                }
#endif
                    }
                }
                if (kb + STAGES * WARPS_K < last) fetch(stage, kb + STAGES * WARPS_K);
            }
        }

        if (WARPS_K > 1) {
            float* mine = sums + (((warp_k - 1) * WARPS_N + warp_n) * LIVE) * 32 + lane;
            __syncthreads();  // the sums of the item before have been read
            if (warp_k > 0)
#pragma unroll
                for (int i = 0; i < LIVE; i++)
                    mine[i * 32] = acc[i / (M_TILES * 4)][i / 4 % M_TILES][i % 4];
            __syncthreads();
        }
        if (warp_k == 0) {
#pragma unroll
            for (int i = 0; i < LIVE; i++) {
                const int nt = i / (M_TILES * 4), mt = i / 4 % M_TILES, part = i % 4;
                float sum = acc[nt][mt][part];
                for (int other = 0; other < WARPS_K - 1; other++)
                    sum += sums[((other * WARPS_N + warp_n) * LIVE + i) * 32 + lane];
                const int row = mt * 8 + 2 * t + part % 2;
                const int feature = (tile0 + nt) * 16 + g + part / 2 * 8;
                if (row < m && tile0 + nt < tiles) {
#if BITS == 8
                    sum *= row_scales[feature];
#endif
                    out[(static_cast<long long>(split) * m + row) * n + feature] = sum;
                }
            }
        }
    }
}

// Two bfloat16, each less a zero and times a float32.
__device__ __forceinline__ u32 scaled(u32 pair, float zero, float by) {
    return bf16_pair(
        (__uint_as_float(pair << 16) - zero) * by, (__uint_as_float(pair & 0xffff0000u) - zero) * by);
}

// Dequantize packed weights to bfloat16[rows, k], for the matrix products of prefills.
extern "C" __global__ void __launch_bounds__(256) unpack(
    const uint4* __restrict__ weights, const f16* __restrict__ scales,
    const unsigned short* __restrict__ zeros, const float* __restrict__ row_scales, bf16* __restrict__ out,
    int first_tile, int tiles, int k) {
#if BITS != 16
    fill_table<256>();
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int k_blocks = k / K_BLOCK, warps = gridDim.x * (blockDim.x / 32);
    for (int item = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; item < tiles * k_blocks;
         item += warps) {
        const int tile = item / k_blocks, kb = item % k_blocks;
        const long long at = static_cast<long long>(first_tile + tile) * k_blocks + kb;
        uint4 w[LOADS];
#pragma unroll
        for (int i = 0; i < LOADS; i++) w[i] = load_weights(weights + (at * LOADS + i) * 32 + lane);
#pragma unroll
        for (int pair = 0; pair < 2; pair++) {
            float by[2], zero[2] = {};
#pragma unroll
            for (int i = 0; i < 2; i++) {
#if BITS == 4
                const long long of_group = (at * SCALES + pair * SCALES / 2) * 8 + g;
                by[i] = of_f16(scales[of_group * 2 + i]);
#if ZEROS
                zero[i] = zero_of(zeros[of_group], i);
#endif
#else
                by[i] = row_scales[(first_tile + tile) * 16 + g + 8 * i];
#endif
            }
            u32 low[4], high[4];
            dequantize(low, w, 2 * pair, lane);
            dequantize(high, w, 2 * pair + 1, lane);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                bf16* row = out + (static_cast<long long>(tile) * 16 + g + 8 * i) * k
                    + kb * K_BLOCK + 32 * pair + 8 * t;
                *reinterpret_cast<uint4*>(row) = make_uint4(
                    scaled(low[i], zero[i], by[i]), scaled(low[i + 2], zero[i], by[i]),
                    scaled(high[i], zero[i], by[i]), scaled(high[i + 2], zero[i], by[i]));
            }
        }
    }
#endif
}
