/* Partial sums of bit-streamed inputs and bit-sliced weights by table lookup, converted and accumulated in registers.
 *
 * A lookup group is a few rows whose input digits together take at most ENTRIES values. The sum of that group is a
 * table of ENTRIES sixteen-bit numbers per column, and one shuffle reads it for a whole register of input vectors at
 * once. One instruction thus does the work of LANES x (rows of the group) multiply-accumulates.
 *
 * Loaded through ctypes; needs AVX-512 F, BW, DQ and VL, or else AVX2 and FMA.
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512BW__

#define ENTRIES 32 /* sums per table */
#define LANES 32   /* input vectors per register */
#define COLUMNS 4  /* columns per micro-kernel */

typedef __m512i shorts; /* LANES sixteen-bit integers */
typedef __m256i half_shorts;
typedef __m512 floats; /* LANES / 2 of them */
#define V(operation) _mm512_##operation

static inline shorts zeros(void) { return _mm512_setzero_si512(); }
static inline shorts bits_and(shorts a, shorts b) { return _mm512_and_si512(a, b); }
static inline shorts bits_xor(shorts a, shorts b) { return _mm512_xor_si512(a, b); }
static inline shorts load_shorts(const int16_t *from) { return _mm512_loadu_si512(from); }
static inline half_shorts low_half(shorts v) { return _mm512_castsi512_si256(v); }
static inline half_shorts high_half(shorts v) { return _mm512_extracti64x4_epi64(v, 1); }
static inline floats to_integers(floats v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* The first `left` numbers, at most LANES / 2. */
static inline floats load_some(const float *from, int64_t left) {
    return _mm512_maskz_loadu_ps(left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1), from);
}
static inline void store_some(int16_t *to, int64_t left, floats v) {
    const __mmask16 mask = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
    _mm256_mask_storeu_epi16(to, mask, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(v)));
}

/* Tables, the selectors that read them, and the read. */
static inline shorts load_table(const int16_t *table) { return _mm512_load_si512(table); }
static inline shorts selector_of(shorts entry) { return entry; }
static inline shorts look_up(shorts table, shorts selector) { return _mm512_permutexvar_epi16(selector, table); }

#else

/* AVX2 shuffles bytes among sixteen: a table of eight sums, read as the bytes 2 * entry and 2 * entry + 1. Tables of
 * sixteen, low and high bytes apart, hold one more row but take four shuffles for what two and a third do here. */
#define ENTRIES 8
#define LANES 16
#define COLUMNS 2 /* with four streams all sums stay in the sixteen registers */

typedef __m256i shorts;
typedef __m128i half_shorts;
typedef __m256 floats;
#define V(operation) _mm256_##operation

static inline shorts zeros(void) { return _mm256_setzero_si256(); }
static inline shorts bits_and(shorts a, shorts b) { return _mm256_and_si256(a, b); }
static inline shorts bits_xor(shorts a, shorts b) { return _mm256_xor_si256(a, b); }
static inline shorts load_shorts(const int16_t *from) { return _mm256_loadu_si256((const shorts *)from); }
static inline half_shorts low_half(shorts v) { return _mm256_castsi256_si128(v); }
static inline half_shorts high_half(shorts v) { return _mm256_extracti128_si256(v, 1); }
static inline floats to_integers(floats v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

static inline floats load_some(const float *from, int64_t left) {
    float some[8] = {0};
    if (left >= 8) return _mm256_loadu_ps(from);
    memcpy(some, from, sizeof(float) * (size_t)left);
    return _mm256_loadu_ps(some);
}
static inline void store_some(int16_t *to, int64_t left, floats v) {
    const __m256i wide = _mm256_cvtps_epi32(v);
    const __m128i all = _mm_packs_epi32(low_half(wide), high_half(wide));
    memcpy(to, &all, left >= 8 ? 16 : 2 * (size_t)left);
}

static inline shorts load_table(const int16_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table)); /* shuffles stay within 128 bits */
}
static inline shorts selector_of(shorts entry) {
    return _mm256_add_epi16(_mm256_mullo_epi16(entry, _mm256_set1_epi16(0x0202)), _mm256_set1_epi16(0x0100));
}
static inline shorts look_up(shorts table, shorts selector) { return _mm256_shuffle_epi8(table, selector); }

#endif

#define HALF (LANES / 2)
#define TILES 8 /* registers of vectors per pass over the tables */
#define BANK_MASK 0xffff
#define NOISE_VECTORS 32 /* vectors that share a place in the bank, as in noise.py */

/* For the caller, who lays out the tables. */
const int32_t naxbo_table_entries = ENTRIES;

typedef struct {
    /* input: batch x channels x height x width floats; code = clamp(rint(x * inverse_scale), low, high) */
    const float *x;
    int64_t batch, channels, height, width;
    int64_t pad_top, pad_left, padded_height, padded_width;
    float inverse_scale;
    int32_t low, high;
    /* vectors: output positions; row k of group g reads channel offset + row_offset[k] */
    int64_t out_height, out_width, stride_h, stride_w;
    int64_t groups, group_channels;
    const int64_t *row_offset; /* rows, in array order */
    const int64_t *block_rows; /* blocks */
    int64_t blocks;
    /* digits */
    int32_t dac_bits, radix, rows_per_lookup;
    int32_t streams;
    const float *stream_place; /* streams */
    /* tables: groups x (lookups of all blocks) x column_stride x ENTRIES */
    const int16_t *tables;
    int64_t lookups, column_stride, cols, slices; /* columns are slice-major: column = slice * cols + output */
    int64_t chunk_lookups;                        /* so many lookups sum up without leaving sixteen bits */
    const float *slice_place;                     /* slices */
    float level;                                  /* levels per table unit */
    /* which streams of a slice are converted: slices x streams, bytes; others are left out */
    const uint8_t *selected;
    int32_t one_pass; /* all pairs are selected */
    int32_t error_only; /* accumulate the converter's error instead of its value */
    /* converter */
    float step, inverse_step, code_low, code_high;
    const float *curve; /* NULL, or groups x blocks x 4 x column_stride coefficients of the converters' errors */
    /* read noise: NULL, or groups x blocks x column_stride standard deviations, in steps, for unit input energy */
    const float *read_sigma;
    float noise;       /* of each conversion, standard deviation in steps */
    const float *bank; /* 2^16 + 16 * 32 normals */
    uint64_t seed;
    /* output: batch x (groups * cols) x out_height x out_width; y = total * scale[channel] + bias[channel] */
    float *y;
    const float *scale, *bias;
    int32_t accumulate; /* add to y instead of overwriting it */
} problem;

static inline uint64_t hash(uint64_t seed, uint64_t counter) {
    uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15ull; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void quantise(const problem *p, int16_t *codes) {
    const int64_t plane = p->padded_height * p->padded_width;
    memset(codes, 0, sizeof(int16_t) * (size_t)(p->batch * p->channels * plane));
    const floats inverse = V(set1_ps)(p->inverse_scale);
    const floats low = V(set1_ps)((float)p->low), high = V(set1_ps)((float)p->high);
    for (int64_t i = 0; i < p->batch * p->channels; i++)
        for (int64_t h = 0; h < p->height; h++) {
            const float *from = p->x + (i * p->height + h) * p->width;
            int16_t *to = codes + i * plane + (h + p->pad_top) * p->padded_width + p->pad_left;
            for (int64_t w = 0; w < p->width; w += HALF) {
                const int64_t left = p->width - w;
                const floats v = to_integers(V(mul_ps)(load_some(from + w, left), inverse));
                store_some(to + w, left, V(min_ps)(V(max_ps)(v, low), high));
            }
        }
}

/* Offsets of the first row of each vector of a tile, and how far it runs contiguously. */
static void locate(const problem *p, int64_t first, int64_t vectors, int64_t *offset) {
    const int64_t positions = p->out_height * p->out_width, plane = p->padded_height * p->padded_width;
    for (int64_t i = 0; i < LANES; i++) {
        const int64_t m = first + i < vectors ? first + i : vectors - 1;
        const int64_t image = m / positions, position = m % positions;
        offset[i] = image * p->channels * plane + position / p->out_width * p->stride_h * p->padded_width
                    + position % p->out_width * p->stride_w;
    }
}

static inline shorts gather_row(const int16_t *codes, const int64_t *offset, int run) {
    if (run == LANES) return load_shorts(codes + offset[0]);
    int16_t lane[LANES] __attribute__((aligned(64)));
    if (run == 16)
        for (int i = 0; i < LANES; i += 16) memcpy(lane + i, codes + offset[i], 32);
    else if (run == 8)
        for (int i = 0; i < LANES; i += 8) memcpy(lane + i, codes + offset[i], 16);
    else if (run == 4)
        for (int i = 0; i < LANES; i += 4) memcpy(lane + i, codes + offset[i], 8);
    else
        for (int i = 0; i < LANES; i++) lane[i] = codes[offset[i]];
    return load_shorts(lane);
}

static int run_length(const int64_t *offset) {
    for (int run = LANES; run > 1; run >>= 1) {
        int whole = 1;
        for (int i = 0; i < LANES && whole; i++)
            if (offset[i] != offset[i / run * run] + i % run) whole = 0;
        if (whole) return run;
    }
    return 1;
}

/* Table indices of one block and tile: lookups x streams x LANES; and square roots of the input energies. */
static void pack(const problem *p, const int16_t *codes, const int64_t *offset, int64_t first_row, int64_t rows,
                 shorts *index, float *root_energy) {
    const int run = run_length(offset), streams = p->streams, is_signed = p->low < 0;
    const shorts mask = V(set1_epi16)((short)((1 << p->dac_bits) - 1));
    const shorts shift_down = V(set1_epi16)(is_signed ? (short)((1 << p->dac_bits) - 1) : 0);
    shorts energy[16][2];
    if (root_energy) memset(energy, 0, sizeof energy);
    for (int64_t start = 0, j = 0; start < rows; start += p->rows_per_lookup, j++) {
        shorts *out = index + j * streams;
        for (int t = 0; t < streams; t++) out[t] = zeros();
        short place = 1;
        for (int64_t r = start; r < start + p->rows_per_lookup; r++, place = (short)(place * p->radix)) {
            const shorts factor = V(set1_epi16)(place);
            if (r >= rows) break;
            const shorts code = gather_row(codes + p->row_offset[first_row + r], offset, run);
            const shorts magnitude = is_signed ? V(abs_epi16)(code) : code;
            const shorts sign = is_signed ? V(srai_epi16)(code, 15) : zeros();
            for (int t = 0; t < streams; t++) {
                shorts digit = V(srl_epi16)(magnitude, _mm_cvtsi32_si128(t * p->dac_bits));
                digit = bits_and(digit, mask);
                if (root_energy) {
                    const shorts square = V(mullo_epi16)(digit, digit);
                    energy[t][0] = V(add_epi32)(energy[t][0], V(cvtepu16_epi32)(low_half(square)));
                    energy[t][1] = V(add_epi32)(energy[t][1], V(cvtepu16_epi32)(high_half(square)));
                }
                if (is_signed) digit = V(add_epi16)(V(sub_epi16)(bits_xor(digit, sign), sign), shift_down);
                out[t] = V(add_epi16)(out[t], V(mullo_epi16)(digit, factor));
            }
        }
        for (int t = 0; t < streams; t++) out[t] = selector_of(out[t]);
    }
    if (root_energy)
        for (int t = 0; t < streams; t++)
            for (int half = 0; half < 2; half++)
                V(storeu_ps)(root_energy + t * LANES + HALF * half, V(sqrt_ps)(V(cvtepi32_ps)(energy[t][half])));
}

typedef struct {
    const shorts *index;       /* lookups x streams */
    const int16_t *table;      /* first column: lookups x column_stride x ENTRIES */
    const float *root_energy;  /* streams x LANES, or NULL */
    const float *sigma;        /* COLUMNS, or NULL */
    const float *curve;        /* first column: 4 x column_stride, or NULL */
    int64_t lookups;
    const int *stream;         /* which streams */
    uint64_t column, vectors;  /* counted as in noise.py; in units of NOISE_VECTORS */
    int lane;                  /* of the first vector in those */
    float *total[COLUMNS];     /* LANES totals of each column */
    float place[COLUMNS];
} tile_job;

/* What a converter adds to `code` steps: c0 + c1 v + c2 v^2 + c3 v^3, with v held at the ends of its range. */
static inline floats bend(const floats *curve, floats low, floats high, floats code) {
    const floats v = V(min_ps)(V(max_ps)(code, low), high);
    floats error = V(add_ps)(V(mul_ps)(curve[3], v), curve[2]);
    error = V(add_ps)(V(mul_ps)(error, v), curve[1]);
    error = V(add_ps)(V(mul_ps)(error, v), curve[0]);
    return V(add_ps)(code, error);
}

/* A converter, for all vectors and streams. */
typedef struct {
    floats factor, low, high, below, above, sigma, noise, curve[4];
} column_converter;

static inline column_converter converter_of(const problem *p, const tile_job *job, int column) {
    column_converter a;
    a.factor = V(set1_ps)(p->level * p->inverse_step); /* level is a power of two: no extra rounding */
    a.low = V(set1_ps)(p->code_low), a.high = V(set1_ps)(p->code_high);
    a.below = V(set1_ps)(p->code_low - 1), a.above = V(set1_ps)(p->code_high + 1);
    a.sigma = V(set1_ps)(job->sigma ? job->sigma[column] : 0), a.noise = V(set1_ps)(p->noise);
    for (int k = 0; k < 4; k++) a.curve[k] = V(set1_ps)(job->curve ? job->curve[k * p->column_stride + column] : 0);
    return a;
}

/* Partial sums of half a register of vectors, in table units, for one column and stream, to converter codes or to their
 * errors. Multiplications and additions are apart, as in torch, so that both round alike. */
static inline __attribute__((always_inline)) floats convert(const column_converter *a, const tile_job *job, floats sums,
                                                            int lane, const float *read_normals, const float *normals,
                                                            int noisy, int error_only) {
    const floats analog = V(mul_ps)(sums, a->factor);
    floats code = analog;
    if (noisy && job->sigma) {
        const floats noise = V(mul_ps)(V(loadu_ps)(read_normals), V(loadu_ps)(job->root_energy + lane));
        code = V(add_ps)(code, V(mul_ps)(noise, a->sigma));
    }
    if (job->curve) code = bend(a->curve, a->below, a->above, code);
    if (noisy) code = V(add_ps)(code, V(mul_ps)(V(loadu_ps)(normals), a->noise));
    code = V(min_ps)(V(max_ps)(to_integers(code), a->low), a->high);
    return error_only ? V(sub_ps)(code, analog) : code;
}

static inline floats widened(shorts sums, int half) {
    return V(cvtepi32_ps)(V(cvtepi16_epi32)(half ? high_half(sums) : low_half(sums)));
}

static inline __attribute__((always_inline)) void tile_kernel(const problem *p, const tile_job *job, const int streams,
                                                              const int noisy, const int error_only) {
    shorts sum[4][COLUMNS];
    floats wide[4][COLUMNS][2] = {{{{0}}}}; /* sums of chunks, where one does not hold all lookups */
    const int narrow = job->lookups <= p->chunk_lookups;
#pragma GCC unroll 4
    for (int t = 0; t < streams; t++)
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS; c++) sum[t][c] = zeros();
    const shorts *index = job->index;
    const int16_t *table = job->table;
    const int64_t index_step = p->streams, table_step = p->column_stride * ENTRIES;
    int64_t at[4];
    for (int t = 0; t < streams; t++) at[t] = job->stream[t];
    for (int64_t start = 0; start < job->lookups; start += p->chunk_lookups) {
        const int64_t left = job->lookups - start, count = left < p->chunk_lookups ? left : p->chunk_lookups;
        for (int64_t j = 0; j < count; j++, index += index_step, table += table_step) {
            shorts entries[COLUMNS];
#pragma GCC unroll 4
            for (int c = 0; c < COLUMNS; c++) entries[c] = load_table(table + ENTRIES * c);
#pragma GCC unroll 4
            for (int t = 0; t < streams; t++) {
                const shorts selector = index[at[t]];
#pragma GCC unroll 4
                for (int c = 0; c < COLUMNS; c++)
                    sum[t][c] = V(add_epi16)(sum[t][c], look_up(entries[c], selector));
            }
        }
        if (!narrow)
            for (int t = 0; t < streams; t++)
                for (int c = 0; c < COLUMNS; c++) {
                    for (int half = 0; half < 2; half++)
                        wide[t][c][half] = V(add_ps)(wide[t][c][half], widened(sum[t][c], half));
                    sum[t][c] = zeros();
                }
    }
#pragma GCC unroll 4
    for (int c = 0; c < COLUMNS; c++) {
        floats total[2] = {V(setzero_ps)(), V(setzero_ps)()};
        const column_converter converter = converter_of(p, job, c);
        const uint64_t draw = noisy ? hash(p->seed, (job->column + (uint64_t)c) << 32 | job->vectors) : 0;
        const float *read_normals = p->bank + (draw & BANK_MASK) + job->lane;
        const float *normals = p->bank + (draw >> 16 & BANK_MASK) + job->lane;
#pragma GCC unroll 4
        for (int t = 0; t < streams; t++) {
            const floats place = V(set1_ps)(p->stream_place[at[t]]);
#pragma GCC unroll 2
            for (int half = 0; half < 2; half++) {
                const floats sums = narrow ? widened(sum[t][c], half) : wide[t][c][half];
                const int64_t far = at[t] * NOISE_VECTORS + HALF * half;
                const floats code = convert(&converter, job, sums, (int)at[t] * LANES + HALF * half,
                                            read_normals + far, normals + far, noisy, error_only);
                total[half] = V(fmadd_ps)(code, place, total[half]);
            }
        }
        const floats place = V(set1_ps)(job->place[c]);
        float *out = job->total[c];
        V(store_ps)(out, V(fmadd_ps)(total[0], place, V(load_ps)(out)));
        V(store_ps)(out + HALF, V(fmadd_ps)(total[1], place, V(load_ps)(out + HALF)));
    }
}

#define STREAM_LOOP(NOISY, ERROR)                                                                    \
    for (; streams >= 4; streams -= 4, job->stream += 4) tile_kernel(p, job, 4, NOISY, ERROR);       \
    if (streams >= 2) tile_kernel(p, job, 2, NOISY, ERROR), job->stream += 2, streams -= 2;          \
    if (streams) tile_kernel(p, job, 1, NOISY, ERROR);

static void run_tile(const problem *p, tile_job *job, int streams) {
    const int noisy = job->sigma || p->noise > 0;
    if (noisy && p->error_only) {
        STREAM_LOOP(1, 1)
    } else if (noisy) {
        STREAM_LOOP(1, 0)
    } else if (p->error_only) {
        STREAM_LOOP(0, 1)
    } else {
        STREAM_LOOP(0, 0)
    }
}

/* What one row block of one group needs, for all tiles of a pass. */
typedef struct {
    const shorts *index;      /* tiles x most_lookups x streams */
    const float *root_energy; /* tiles x streams x LANES, or NULL */
    int64_t lookups, most_lookups;
    const int16_t *table;
    const float *sigma, *curve; /* or NULL */
    uint64_t first_column;      /* counted over groups and blocks, for the noise */
    int64_t first_vector;
    int tiles;
} block_job;

/* Columns first ... end - 1 of one block, all tiles, the given streams. */
static void run_columns(const problem *p, const block_job *b, int64_t first, int64_t end, const int *stream, int streams,
                        float *totals) {
    float padding[LANES] __attribute__((aligned(64))) = {0}; /* receives the columns past the end */
    for (int64_t column = first; column < end; column += COLUMNS)
        for (int tile = 0; tile < b->tiles; tile++) {
            const int64_t vector = b->first_vector + (int64_t)tile * LANES;
            tile_job job;
            job.index = b->index + (int64_t)tile * b->most_lookups * p->streams;
            job.table = b->table + column * ENTRIES;
            job.root_energy = b->root_energy ? b->root_energy + (int64_t)tile * p->streams * LANES : NULL;
            job.sigma = b->sigma ? b->sigma + column : NULL;
            job.curve = b->curve ? b->curve + column : NULL;
            job.lookups = b->lookups;
            job.stream = stream;
            job.column = b->first_column + (uint64_t)column;
            job.vectors = (uint64_t)(vector / NOISE_VECTORS);
            job.lane = (int)(vector % NOISE_VECTORS);
            for (int c = 0; c < COLUMNS; c++) {
                const int real = column + c < end;
                job.total[c] = real ? totals + ((column + c) % p->cols * TILES + tile) * LANES : padding;
                job.place[c] = real ? p->slice_place[(column + c) / p->cols] : 0;
            }
            run_tile(p, &job, streams);
        }
}

static void store(const problem *p, const float *totals, int64_t group, int64_t first, int64_t count) {
    const int64_t positions = p->out_height * p->out_width, channels = p->groups * p->cols;
    for (int64_t n = 0; n < p->cols; n++) {
        const int64_t channel = group * p->cols + n;
        const float scale = p->scale[channel] * p->step, bias = p->bias[channel];
        for (int64_t i = 0; i < count;) {
            const int64_t m = first + i, image = m / positions, position = m % positions;
            const int64_t run = positions - position < count - i ? positions - position : count - i;
            float *to = p->y + (image * channels + channel) * positions + position;
            const float *from = totals + n * TILES * LANES + i;
            if (p->accumulate)
                for (int64_t k = 0; k < run; k++) to[k] += from[k] * scale;
            else
                for (int64_t k = 0; k < run; k++) to[k] = from[k] * scale + bias;
            i += run;
        }
    }
}

/* Returns 0, or 1 if memory ran out. */
int naxbo_crossbar(const problem *p) {
    const int64_t vectors = p->batch * p->out_height * p->out_width;
    const int64_t plane = p->padded_height * p->padded_width;
    int64_t most_rows = 0;
    for (int64_t b = 0; b < p->blocks; b++) most_rows = p->block_rows[b] > most_rows ? p->block_rows[b] : most_rows;
    const int64_t most_lookups = (most_rows + p->rows_per_lookup - 1) / p->rows_per_lookup;
    const size_t index_bytes = sizeof(shorts) * (size_t)(TILES * most_lookups * p->streams);
    /* a register may be read past the last row of a plane, hence the slack */
    int16_t *codes = aligned_alloc(64, ((size_t)(p->batch * p->channels * plane) * 2 + 64 * LANES + 63) / 64 * 64);
    shorts *index = aligned_alloc(64, index_bytes);
    float *totals = aligned_alloc(64, sizeof(float) * (size_t)(p->cols * TILES * LANES));
    float *root_energy = p->read_sigma ? aligned_alloc(64, sizeof(float) * (size_t)(TILES * p->streams * LANES)) : NULL;
    const int failed = !codes || !index || !totals || (p->read_sigma && !root_energy);
    if (!failed) quantise(p, codes);
    for (int64_t first = 0; !failed && first < vectors; first += TILES * LANES) {
        const int64_t count = vectors - first < TILES * LANES ? vectors - first : TILES * LANES;
        const int tiles = (int)((count + LANES - 1) / LANES);
        int64_t offset[TILES][LANES];
        for (int tile = 0; tile < tiles; tile++) locate(p, first + (int64_t)tile * LANES, vectors, offset[tile]);
        for (int64_t group = 0; group < p->groups; group++) {
            const int16_t *channel = codes + group * p->group_channels * plane;
            memset(totals, 0, sizeof(float) * (size_t)(p->cols * TILES * LANES));
            int64_t row = 0, lookup = group * p->lookups;
            for (int64_t b = 0; b < p->blocks; b++) {
                const int64_t rows = p->block_rows[b], lookups = (rows + p->rows_per_lookup - 1) / p->rows_per_lookup;
                for (int tile = 0; tile < tiles; tile++)
                    pack(p, channel, offset[tile], row, rows, index + tile * most_lookups * p->streams,
                         root_energy ? root_energy + (int64_t)tile * p->streams * LANES : NULL);
                const int64_t part = group * p->blocks + b;
                const block_job job = {
                    .index = index,
                    .root_energy = root_energy,
                    .lookups = lookups,
                    .most_lookups = most_lookups,
                    .table = p->tables + lookup * p->column_stride * ENTRIES,
                    .sigma = p->read_sigma ? p->read_sigma + part * p->column_stride : NULL,
                    .curve = p->curve ? p->curve + part * 4 * p->column_stride : NULL,
                    .first_column = (uint64_t)(part * p->slices * p->cols),
                    .first_vector = first,
                    .tiles = tiles,
                };
                int64_t width = p->one_pass ? p->slices * p->cols : p->cols;
                for (int64_t slice = 0; slice < p->slices; slice += p->one_pass ? p->slices : 1) {
                    int stream[16], streams = 0;
                    for (int t = 0; t < p->streams; t++)
                        if (p->selected[slice * p->streams + t]) stream[streams++] = t;
                    if (streams)
                        run_columns(p, &job, slice * p->cols, slice * p->cols + width, stream, streams, totals);
                }
                row += rows;
                lookup += lookups;
            }
            store(p, totals, group, first, count);
        }
    }
    free(codes), free(index), free(totals), free(root_energy);
    return failed;
}
