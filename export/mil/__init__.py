"""What a Core ML package computes, worked out with torch: Apple's own runtime is on a Mac alone."""
