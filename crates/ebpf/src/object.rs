//! What the kernel and the compiler want of every object.

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The engine has no panic left; if one were, the object would not load.
    loop {}
}

/// The helpers called (`bpf_ktime_get_coarse_ns` among them) are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
