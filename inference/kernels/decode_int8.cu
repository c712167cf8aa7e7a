// Paged decode attention (one query token per sequence) over an int8 KV cache.
//
// A warp processes one page (16 tokens) at a time without shared memory: both products run in
// mma.m16n8k16, and keys and values are loaded straight into the lanes that hold them as its right
// operand. This works because the order of summation is free: a lane holds sixteen consecutive
// dimensions of a key, and of a value the dimensions of its eighth of the output. Bytes become
// float16 in registers (1024 + b is a float16 whose low byte is b).
//
// The left operand has sixteen rows: the query heads that share a KV head, for each sequence of a
// group that shares a prefix. Four warps take turns at the pages and combine their results at the
// end; blocks that split a sequence's pages write partial results, which _merge (attention.py)
// combines.
//
// Macros: HEAD (64 or 128), PER_KV (query heads per KV head), PER_KV_PADDED (power of two).

typedef unsigned int u32;
typedef unsigned short u16;

constexpr int WARPS = 4;
constexpr int PAGE = 16;
constexpr int ROWS = 16;
constexpr int GROUP_SIZE = ROWS / PER_KV_PADDED;
constexpr int STEPS = HEAD / 16;   // of the first product
constexpr int TILES = HEAD / 8;    // of the second product: eight dimensions each
constexpr int VALUE_WORDS = HEAD / 32;
// Scales probabilities up, so that one times a small scale does not underflow in float16.
constexpr float LIFT = 256.0f;
#define NOTHING __int_as_float(0xff800000)  // minus infinity

__device__ __forceinline__ u32 half_pair(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ float of_half(u32 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<u16>(bits)));
    return value;
}

__device__ __forceinline__ float of_bf16(u32 bits) { return __uint_as_float(bits << 16); }

// Two float16 1024 + 128 + a, with a in -128…127, to two float16 a.
__device__ __forceinline__ u32 unbiased(u32 pair) {
    u32 out;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(out) : "r"(pair), "r"(0x64806480u));
    return out;
}

__device__ __forceinline__ uint4 load16(const void* address) {
    uint4 v;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(address));
    return v;
}

__device__ __forceinline__ u32 word(const uint4& value, int index) {
    return index == 0 ? value.x : index == 1 ? value.y : index == 2 ? value.z : value.w;
}

__device__ __forceinline__ void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Reduce over the four lanes that hold a row.
__device__ __forceinline__ float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

__device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// No __restrict__ on queries and cache: kernels that this one overlaps with write them.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3) decode(
    const u16* queries,                     // bfloat16[num_seqs, heads, HEAD]
    const char* keys,                       // int8[pages, kv_heads, PAGE, HEAD]; values alike
    const char* values,
    const u16* key_scales,                  // float16[pages, kv_heads, PAGE]; value_scales alike
    const u16* value_scales,
    const int* __restrict__ tables,         // [num_seqs, table_stride]
    const int* __restrict__ lengths,        // [num_seqs]
    const int* __restrict__ shared_lengths, // [num_seqs]
    const int* __restrict__ group_members,  // [groups, GROUP_SIZE]
    float* __restrict__ partial,            // [num_seqs, heads, 2 * splits, HEAD]
    float* __restrict__ weights,            // [num_seqs, heads, 2 * splits]
    int groups, int kv_heads, int splits, int table_stride) {
    __shared__ float outs[WARPS][ROWS][HEAD];
    __shared__ float bests[WARPS][ROWS], totals[WARPS][ROWS];
    const int item = blockIdx.x, kv_head = blockIdx.y, split = blockIdx.z;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
    const bool is_group = item < groups;
    const int first = is_group ? group_members[item * GROUP_SIZE] : item - groups;
    int begin = 0, length = 0;
    if (first >= 0) {
        begin = is_group ? 0 : shared_lengths[first];
        length = is_group ? shared_lengths[first] : lengths[first];
    }
    if (length == 0) return;  // an empty group: nothing reads its part
    // The index of the query in a row of the left operand; -1 for none.
    auto query_of = [&](int row) {
        const int member = row / PER_KV_PADDED, of_kv = row % PER_KV_PADDED;
        if (of_kv >= PER_KV || (!is_group && member > 0)) return -1;
        const int seq = is_group ? group_members[item * GROUP_SIZE + member] : first;
        return seq < 0 ? -1 : (seq * kv_heads + kv_head) * PER_KV + of_kv;
    };
    const int rows = is_group ? ROWS : PER_KV;
    const int part = is_group ? splits + split : split;

    const int pages = (length - begin + PAGE - 1) / PAGE, per = (pages + splits - 1) / splits;
    const int page0 = split * per, page1 = min(page0 + per, pages);
    if (page0 >= page1) {
        for (int row = threadIdx.x; row < rows; row += 32 * WARPS)
            if (query_of(row) >= 0)
                weights[static_cast<long long>(query_of(row)) * 2 * splits + part] = NOTHING;
        return;
    }

    // Step s holds dimensions 64 * (s / 4) + 16 * t + 4 * (s % 4) + {0, 1, 2, 3}, scaled for exp2.
    u32 q[STEPS][4];
    const float scale = rsqrtf(static_cast<float>(HEAD)) * 1.4426950408889634f;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int query = query_of(g + 8 * half);
#pragma unroll
        for (int s = 0; s < STEPS; s++) {
            uint2 four = make_uint2(0, 0);
            if (query >= 0)
                four = *reinterpret_cast<const uint2*>(queries + static_cast<long long>(query) * HEAD
                    + 64 * (s / 4) + 16 * t + 4 * (s % 4));
            q[s][half] = half_pair(of_bf16(four.x) * scale, __uint_as_float(four.x & 0xffff0000u) * scale);
            q[s][half + 2] = half_pair(of_bf16(four.y) * scale, __uint_as_float(four.y & 0xffff0000u) * scale);
        }
    }

    float out[TILES][4] = {};
    float best[2] = {NOTHING, NOTHING}, total[2] = {0.0f, 0.0f};
    const int* table = tables + static_cast<long long>(first) * table_stride + begin / PAGE;
    uint4 k[2][STEPS / 4];
    long long slot = 0;
    auto fetch_keys = [&](int page) {
        slot = (static_cast<long long>(table[page]) * kv_heads + kv_head) * PAGE;
#pragma unroll
        for (int tile = 0; tile < 2; tile++)
#pragma unroll
            for (int chunk = 0; chunk < STEPS / 4; chunk++)
                k[tile][chunk] = load16(keys + (slot + 8 * tile + g) * HEAD + 64 * chunk + 16 * t);
    };
    if (page0 + warp < page1) fetch_keys(page0 + warp);

    for (int page = page0 + warp; page < page1; page += WARPS) {
        // Tokens 2t and 2t + 1 of the page's first half and of its second half.
        u32 v[4][VALUE_WORDS];
        u32 by_key[2], by_value[2];
#pragma unroll
        for (int tile = 0; tile < 2; tile++) {
            by_key[tile] = *reinterpret_cast<const u32*>(key_scales + slot + 8 * tile + 2 * t);
            by_value[tile] = *reinterpret_cast<const u32*>(value_scales + slot + 8 * tile + 2 * t);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const char* row = values + (slot + 8 * tile + 2 * t + i) * HEAD + 4 * VALUE_WORDS * g;
                if (VALUE_WORDS == 4) {
                    const uint4 loaded = load16(row);
#pragma unroll
                    for (int w = 0; w < VALUE_WORDS; w++) v[2 * tile + i][w] = word(loaded, w);
                } else {
                    const uint2 loaded = *reinterpret_cast<const uint2*>(row);
                    v[2 * tile + i][0] = loaded.x;
                    v[2 * tile + i][1] = loaded.y;
                }
            }
        }
        float score[2][4];
#pragma unroll
        for (int tile = 0; tile < 2; tile++) {
            float sum[4] = {};
#pragma unroll
            for (int s = 0; s < STEPS; s++) {
                const u32 biased = word(k[tile][s / 4], s % 4) ^ 0x80808080u;
                mma(sum, q[s], unbiased(__byte_perm(biased, 0x64646464u, 0x4140)),
                    unbiased(__byte_perm(biased, 0x64646464u, 0x4342)));
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const bool is_there = begin + page * PAGE + 8 * tile + 2 * t + i % 2 < length;
                const float by = of_half(i % 2 ? by_key[tile] >> 16 : by_key[tile]);
                score[tile][i] = is_there ? sum[i] * by : NOTHING;
            }
        }
        if (page + WARPS < page1) fetch_keys(page + WARPS);

        float fade[2];
        bool moves = false;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float here = fmaxf(fmaxf(score[0][2 * half], score[0][2 * half + 1]),
                fmaxf(score[1][2 * half], score[1][2 * half + 1]));
            const float most = fmaxf(best[half], row_max(here));
            fade[half] = exp2f(best[half] - most);
            moves = moves || most != best[half];
            best[half] = most;
        }
        if (__any_sync(0xffffffffu, moves)) {
#pragma unroll
            for (int tile = 0; tile < TILES; tile++)
#pragma unroll
                for (int i = 0; i < 4; i++) out[tile][i] *= fade[i / 2];
            total[0] *= fade[0];
            total[1] *= fade[1];
        }
        u32 p[4];
#pragma unroll
        for (int tile = 0; tile < 2; tile++) {
            const float by[2] = {LIFT * of_half(by_value[tile]), LIFT * of_half(by_value[tile] >> 16)};
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const float low = exp2f(score[tile][2 * half] - best[half]);
                const float high = exp2f(score[tile][2 * half + 1] - best[half]);
                total[half] += low + high;
                p[2 * tile + half] = half_pair(low * by[0], high * by[1]);
            }
        }
        // Column n of tile j is dimension TILES * n + j.
#pragma unroll
        for (int j = 0; j < TILES; j++) {
            const u32 both = 0x0400u + 0x0101u * (j % 4);  // byte j % 4 of both words
            const u32 b0 = __byte_perm(v[0][j / 4], v[1][j / 4], both);
            const u32 b1 = __byte_perm(v[2][j / 4], v[3][j / 4], both);
            mma(out[j], p, unbiased((b0 & 0x00ff00ffu) ^ 0x64806480u),
                unbiased((b1 & 0x00ff00ffu) ^ 0x64806480u));
        }
    }

#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int row = g + 8 * half;
        const float sum = row_sum(total[half]);
        if (row < rows) {
            if (t == 0) {
                bests[warp][row] = best[half];
                totals[warp][row] = sum;
            }
#pragma unroll
            for (int n = 0; n < 2; n++)
#pragma unroll
                for (int j = 0; j < TILES; j++)
                    outs[warp][row][TILES * (2 * t + n) + j] = out[j][2 * half + n];
        }
    }
    __syncthreads();
    for (int at = threadIdx.x; at < rows * HEAD; at += 32 * WARPS) {
        const int row = at / HEAD, d = at % HEAD, query = query_of(row);
        if (query < 0) continue;
        float most = NOTHING;
#pragma unroll
        for (int w = 0; w < WARPS; w++) most = fmaxf(most, bests[w][row]);
        float sum = 0.0f, value = 0.0f;
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            const float share = exp2f(bests[w][row] - most);
            sum += share * totals[w][row];
            value += share * outs[w][row][d];
        }
        const long long to = static_cast<long long>(query) * 2 * splits + part;
        partial[to * HEAD + d] = value / (sum * LIFT);
        if (d == 0) weights[to] = most + log2f(sum);
    }
}
