// From a luma frame to the inputs of the engines, and from landmarks to the crops that lie on them.
//
// The oracle is dms/stages/tensors.py (OpenCV); tests/unit/backends/cuda/test_kernel.py holds both together.
// All arithmetic is written out (fmaf, integers) and compiled without contraction, so that every device
// and the host give the same pixels.

enum Mode { WARP = 0, AREA = 1, LINEAR = 2 };

// What one engine sees of the frame. The layout is `crops.ROW` in crops.py.
struct Crop {
    double matrix[6];         // WARP: pixel of the input -> pixel of the frame, 2x3
    unsigned char* out;       // the input, height x width
    int width, height;
    int x, y;                 // AREA, LINEAR: where the fitted frame lies in the input; beside it is 0
    int fitted_width, fitted_height;
    int mode;
};

struct Frame {
    const unsigned char* pixels;
    int width, height;
};

// A pixel of the frame; 0 beyond its edge.
__device__ int pixel(const Frame& frame, int x, int y)
{
    bool inside = x >= 0 && x < frame.width && y >= 0 && y < frame.height;
    return inside ? frame.pixels[(size_t)y * frame.width + x] : 0;
}

// Bilinear with 0 outside, as cv2.warpAffine (INTER_LINEAR | WARP_INVERSE_MAP): coordinates in float32.
__device__ unsigned char warped(const Frame& frame, const double* m, int x, int y)
{
    float from_x = fmaf((float)m[0], (float)x, (float)m[1] * (float)y + (float)m[2]);
    float from_y = fmaf((float)m[3], (float)x, (float)m[4] * (float)y + (float)m[5]);
    // Beyond these the conversion to int would overflow, and all is black.
    if (!(from_x > -2.0f && from_x < frame.width + 1.0f && from_y > -2.0f && from_y < frame.height + 1.0f))
        return 0;
    int left = (int)floorf(from_x), top = (int)floorf(from_y);
    float right_share = from_x - (float)left, low_share = from_y - (float)top;
    float a = pixel(frame, left, top), b = pixel(frame, left + 1, top);
    float c = pixel(frame, left, top + 1), d = pixel(frame, left + 1, top + 1);
    float upper = fmaf(right_share, b - a, a);
    float lower = fmaf(right_share, d - c, c);
    return (unsigned char)rintf(fmaf(low_share, lower - upper, upper));
}

// The mean over the area that a pixel of the fitted frame covers, as cv2.resize (INTER_AREA), in integers:
// pixel x covers x*from .. (x+1)*from where a pixel of the frame is `to` wide, so every share is whole.
// The sum needs 32 bits up to 16.8 million pixels of the frame.
__device__ unsigned char averaged(const Frame& frame, int to_width, int to_height, int x, int y)
{
    int left = x * frame.width, right = left + frame.width;
    int top = y * frame.height, low = top + frame.height;
    unsigned sum = 0;
    for (int j = top / to_height; j * to_height < low; ++j) {
        int rows = min((j + 1) * to_height, low) - max(j * to_height, top);
        const unsigned char* line = frame.pixels + (size_t)j * frame.width;
        unsigned line_sum = 0;
        for (int i = left / to_width; i * to_width < right; ++i)
            line_sum += line[i] * (min((i + 1) * to_width, right) - max(i * to_width, left));
        sum += line_sum * rows;
    }
    unsigned area = (unsigned)frame.width * frame.height;
    unsigned mean = sum / area, rest = sum - mean * area;
    return (unsigned char)(mean + (rest >= area - rest));
}

// Where pixel `x` of `to` lies among the `from` pixels of the frame: the pixel before and the weight of the
// one after it, of 2048.
__device__ void between(int x, int from, int to, int* before, int* weight)
{
    int doubled = max((2 * x + 1) * from - to, 0);  // the position, times 2 * to
    *before = min(doubled / (2 * to), from - 1);
    int rest = doubled - *before * 2 * to;
    *weight = *before == from - 1 ? 0 : (rest * 1024 + to / 2) / to;
}

// Bilinear with the edge repeated, as cv2.resize (INTER_LINEAR): weights of 11 bits.
__device__ unsigned char enlarged(const Frame& frame, int to_width, int to_height, int x, int y)
{
    int left, top, wx, wy;
    between(x, frame.width, to_width, &left, &wx);
    between(y, frame.height, to_height, &top, &wy);
    int right = min(left + 1, frame.width - 1), low = min(top + 1, frame.height - 1);
    int upper = pixel(frame, left, top) * (2048 - wx) + pixel(frame, right, top) * wx;
    int lower = pixel(frame, left, low) * (2048 - wx) + pixel(frame, right, low) * wx;
    return (unsigned char)(((((2048 - wy) * (upper >> 4)) >> 16) + ((wy * (lower >> 4)) >> 16) + 2) >> 2);
}

__device__ unsigned char value_of(const Frame& frame, const Crop& crop, int x, int y)
{
    if (crop.mode == WARP)
        return warped(frame, crop.matrix, x, y);
    x -= crop.x, y -= crop.y;
    if (x < 0 || x >= crop.fitted_width || y < 0 || y >= crop.fitted_height)
        return 0;
    if (crop.mode == AREA)
        return averaged(frame, crop.fitted_width, crop.fitted_height, x, y);
    return enlarged(frame, crop.fitted_width, crop.fitted_height, x, y);
}

// Fills the inputs of several engines. Grid: x covers the pixels of the largest input, y the inputs.
extern "C" __global__ void cut(const unsigned char* pixels, int width, int height, const Crop* crops)
{
    const Crop& crop = crops[blockIdx.y];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= crop.width * crop.height)
        return;
    Frame frame = {pixels, width, height};
    crop.out[i] = value_of(frame, crop, i % crop.width, i / crop.width);
}

struct Point {
    float x, y;
};

// A landmark in pixels of the frame; the engine counts the crop from 0 to 1 over its full width.
__device__ Point on_frame(const float* landmark, const Crop& eyes)
{
    double x = landmark[0] * (float)eyes.width - 0.5f, y = landmark[1] * (float)eyes.width - 0.5f;
    const double* m = eyes.matrix;
    Point point = {(float)(x * m[0] + y * m[1] + m[2]), (float)(x * m[3] + y * m[4] + m[5])};
    return point;
}

// A square of the frame round (x, y), turned so that its horizontal points along (cosine, sine).
__device__ void set_square(Crop* crop, double x, double y, double side, double cosine, double sine)
{
    double scale = side / crop->width, half = (crop->width - 1) / 2.0;
    double c = scale * cosine, s = scale * sine;
    double matrix[6] = {c, -s, x - c * half + s * half, s, c, y - s * half - c * half};
    for (int i = 0; i < 6; ++i)
        crop->matrix[i] = matrix[i];
}

// tensors.fatigue_crop: eyes and mouth, aligned to the roll of the head.
__device__ void place_fatigue(const float* landmarks, const Crop& eyes, Crop* fatigue)
{
    Point right = on_frame(landmarks + 2 * RIGHT_EYE_OUTER, eyes);
    Point left = on_frame(landmarks + 2 * LEFT_EYE_OUTER, eyes);
    Point mouth_right = on_frame(landmarks + 2 * MOUTH_RIGHT, eyes);
    Point mouth_left = on_frame(landmarks + 2 * MOUTH_LEFT, eyes);
    Point between_eyes = {(right.x + left.x) / 2, (right.y + left.y) / 2};
    Point mouth = {(mouth_right.x + mouth_left.x) / 2, (mouth_right.y + mouth_left.y) / 2};
    Point line = {left.x - right.x, left.y - right.y};
    Point down = {mouth.x - between_eyes.x, mouth.y - between_eyes.y};
    double across_x = line.x + down.y, across_y = line.y - down.x;
    double side = fmax(hypot((double)line.x, (double)line.y) + hypot((double)down.x, (double)down.y), 1.0);
    double length = hypot(across_x, across_y);
    double cosine = length > 0 ? across_x / length : 1.0, sine = length > 0 ? across_y / length : 0.0;
    set_square(fatigue, (between_eyes.x + mouth.x) / 2, (between_eyes.y + mouth.y) / 2, side, cosine, sine);
}

// tensors.distraction_crop: the driver region below and beside the box of the landmarks.
__device__ void place_distraction(const float* landmarks, const Crop& eyes, Crop* distraction)
{
    Point low = on_frame(landmarks, eyes), high = low;
#pragma unroll 15
    for (int i = 1; i < LANDMARKS; ++i) {
        Point point = on_frame(landmarks + 2 * i, eyes);
        low.x = fminf(low.x, point.x), low.y = fminf(low.y, point.y);
        high.x = fmaxf(high.x, point.x), high.y = fmaxf(high.y, point.y);
    }
    double x = ((double)low.x + high.x) / 2, y = ((double)low.y + high.y) / 2;
    double width = fmax((double)high.x - low.x, 0.85 * ((double)high.y - low.y));
    set_square(distraction, x, y + 0.4 * width, 2.5 * width, 1.0, 0.0);
}

// Places the crops that lie on this frame's landmarks. Grid: one thread in each of two blocks.
extern "C" __global__ void place(const float* landmarks, const Crop* eyes, Crop* fatigue, Crop* distraction)
{
    if (blockIdx.x == 0)
        place_fatigue(landmarks, *eyes, fatigue);
    else
        place_distraction(landmarks, *eyes, distraction);
}

// Does nothing: what a launch costs.
extern "C" __global__ void idle()
{
}
