//! Stages of a packet as global functions, like those in `maps`: each takes the program's context
//! and finds the packet anew.
//!
//! XDP and tc have the same ones, of both IP versions. A packet that leaves has those of answers
//! alone.

/// The functions of a program, by its name: for a kind of frame, and what the kernel passes.
macro_rules! stages {
    ($program:ident, $frame:ident, $context:ident($kernel:ty)) => {
        stages!(@all 4, V4, $program, $frame, $context($kernel));
        stages!(@all 6, V6, $program, $frame, $context($kernel));

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _call)}(context: *mut $kernel, at: u32) -> u64 {
            call::call(&$frame::whole($context::new(context)), &Maps, at as usize)
        }
    };
    (leaving $program:ident, $frame:ident, $context:ident($kernel:ty)) => {
        stages!(@answers 4, V4, $program, $frame, $context($kernel));
        stages!(@answers 6, V6, $program, $frame, $context($kernel));
    };
    (@answers $version:literal, $family:ty, $program:ident, $frame:ident, $context:ident($kernel:ty)) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _answer, $version)}(
            context: *mut $kernel,
            seat: u32,
            brief: u32,
        ) -> u64 {
            let mut frame = $frame::new($context::new(context));
            let (seat, brief) = (Seat(seat), Brief(brief));
            outcome::pack(forward::answer::<$family, _, _>(
                &mut frame, &Maps, seat, brief,
            ))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _relate, $version)}(context: *mut $kernel) -> u64 {
            let mut frame = $frame::new($context::new(context));
            outcome::pack(related::relate::<$family, _, _>(&mut frame, &Maps))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _follow, $version)}(context: *mut $kernel) -> u64 {
            let mut frame = $frame::new($context::new(context));
            fragment::follow::<$family, _, _>(&mut frame, &Maps).0
        }
    };
    (@all $version:literal, $family:ty, $program:ident, $frame:ident, $context:ident($kernel:ty)) => {
        stages!(@answers $version, $family, $program, $frame, $context($kernel));

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _recognise, $version)}(context: *mut $kernel) -> u64 {
            let mut frame = $frame::new($context::new(context));
            outcome::pack_answer(answers::recognise::<$family, _, _>(&mut frame, &Maps))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _hear, $version)}(
            context: *mut $kernel,
            seat: u32,
            brief: u32,
        ) -> u64 {
            let mut frame = $frame::whole($context::new(context));
            let answer = Answer {
                seat: Seat(seat),
                brief: Brief(brief),
            };
            ftp::hear::<$family, _, _>(&mut frame, &Maps, answer).0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _overhear, $version)}(
            context: *mut $kernel,
            brief: u32,
        ) -> u64 {
            let frame = $frame::whole($context::new(context));
            ftp::overhear::<$family, _, _>(&frame, &Maps, Brief(brief)).0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _keep, $version)}(
            context: *mut $kernel,
            origin: u64,
        ) -> u64 {
            let frame = $frame::new($context::new(context));
            let kept = fragment::keep::<$family, _, _>(&frame, &Maps, Origin(origin));
            outcome::pack(kept.map(|()| Verdict::Pass))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _relate_full_nat, $version)}(
            context: *mut $kernel,
        ) -> u64 {
            let mut frame = $frame::new($context::new(context));
            outcome::pack(related::relate_full_nat::<$family, _, _>(&mut frame, &Maps))
        }

        /// 1 if it leaves the tuple of a connection that is to begin, see `Maps::begin_left`.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _by_error, $version)}(context: *mut $kernel) -> u32 {
            let frame = $frame::new($context::new(context));
            match by_error::wanted::<$family, _, _>(&frame, &Maps) {
                Ok(tuple) => scratch(Place::Begin, &tuple).is_some() as u32,
                Err(_) => 0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _for_tunnel, $version)}(context: *mut $kernel) -> u64 {
            let frame = $frame::new($context::new(context));
            let inward = related::for_tunnel::<$family, _, _>(&frame, &Maps);
            outcome::pack_word(inward.map(|inward| inward.0))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _tunnelled, $version)}(context: *mut $kernel) -> u64 {
            let frame = $frame::new($context::new(context));
            outcome::pack_number(tunnelled::find::<$family, _, _>(&frame, &Maps))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _tell_client, $version)}(
            context: *mut $kernel,
            number: u32,
        ) -> u64 {
            let mut frame = $frame::returned($context::new(context));
            outcome::pack(tunnelled::tell::<$family, _, _>(&mut frame, &Maps, number))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _respond, $version)}(
            context: *mut $kernel,
            reason: u32,
        ) -> u64 {
            let mut frame = $frame::returned($context::new(context));
            let reason = Reason::from_bits(reason as u8);
            let verdict = respond::respond::<$family, _, _>(&mut frame, &Maps, reason);
            outcome::pack(Ok(verdict))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _tunnel, $version)}(
            context: *mut $kernel,
            number: u32,
            hash: u32,
        ) -> u64 {
            let mut frame = $frame::new($context::new(context));
            outcome::pack(forward::tunnel::<$family, _, _>(
                &mut frame, &Maps, number, hash,
            ))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _full_nat, $version)}(
            context: *mut $kernel,
            number: u32,
            lease: u32,
            brief: u32,
            told: u64,
        ) -> u64 {
            let mut frame = $frame::new($context::new(context));
            let (lease, brief) = (Lease(lease), Brief(brief));
            outcome::pack(forward::full_nat::<$family, _, _>(
                &mut frame, &Maps, number, lease, brief, told,
            ))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _tell, $version)}(
            context: *mut $kernel,
            stream: u64,
            brief: u32,
        ) -> u64 {
            let mut frame = $frame::new($context::new(context));
            let (stream, brief) = (Stream(stream), Brief(brief));
            outcome::pack_word(forward::tell::<$family, _>(&mut frame, stream, brief))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_, $program, _mend_sctp, $version)}(
            context: *mut $kernel,
            at: u32,
            difference: u32,
        ) -> u32 {
            let mut frame = $frame::new($context::new(context));
            forward::mend_sctp::<$family, _>(&mut frame, at as usize, difference).is_some() as u32
        }
    };
}

/// The seams of a frame, which call them: in the implementation of [`rlvs_engine::Frame`]. Where
/// frames of the same type may leave, it is said when they do, and what their functions are called.
macro_rules! seams {
    ($program:ident) => {
        seams!($program, false => $program);
    };
    ($program:ident, $leaves:expr => $leaving:ident) => {
        #[inline(always)]
        fn recognise<F: Packet, T: FamilyTables<F>>(&mut self, _: &T) -> Result<Answer, Reason> {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _recognise4)}(context),
                _ => ${concat(rlvs_, $program, _recognise6)}(context),
            };
            self.refresh();
            outcome::unpack_answer(outcome)
        }

        #[inline(always)]
        fn answer<F: Packet, T: FamilyTables<F>>(&mut self, _: &T, answer: Answer) -> Outcome {
            let context = self.context.as_ptr().cast();
            let (seat, brief) = (answer.seat.0, answer.brief.0);
            let outcome = match (F::INDEX, $leaves) {
                (0, false) => ${concat(rlvs_, $program, _answer4)}(context, seat, brief),
                (0, true) => ${concat(rlvs_, $leaving, _answer4)}(context, seat, brief),
                (_, false) => ${concat(rlvs_, $program, _answer6)}(context, seat, brief),
                (_, true) => ${concat(rlvs_, $leaving, _answer6)}(context, seat, brief),
            };
            self.refresh();
            Outcome(outcome)
        }

        // Of one that needs none of the next three the packet is found anew as well: the verifier
        // shall not tell the two apart.
        #[inline(always)]
        fn hear<F: Packet, T: FamilyTables<F>>(&mut self, _: &T, answer: Answer) -> Announced {
            let context = self.context.as_ptr().cast();
            let (seat, brief) = (answer.seat.0, answer.brief.0);
            let announced = match (answer.brief.is_of_commands(), F::INDEX) {
                (false, _) => 0,
                (true, 0) => ${concat(rlvs_, $program, _hear4)}(context, seat, brief),
                (true, _) => ${concat(rlvs_, $program, _hear6)}(context, seat, brief),
            };
            self.refresh();
            Announced(announced)
        }

        #[inline(always)]
        fn overhear<F: Packet, T: FamilyTables<F>>(&mut self, _: &T, brief: Brief) -> Announced {
            let context = self.context.as_ptr().cast();
            let announced = match (brief.is_of_commands(), F::INDEX) {
                (false, _) => 0,
                (true, 0) => ${concat(rlvs_, $program, _overhear4)}(context, brief.0),
                (true, _) => ${concat(rlvs_, $program, _overhear6)}(context, brief.0),
            };
            self.refresh();
            Announced(announced)
        }

        #[inline(always)]
        fn call<T: Tables>(&mut self, _: &T, at: u32) -> u64 {
            let context = self.context.as_ptr().cast();
            let call = match at {
                0 => 0,
                at => ${concat(rlvs_, $program, _call)}(context, at),
            };
            self.refresh();
            call
        }

        #[inline(always)]
        fn keep<F: Packet, T: FamilyTables<F>>(
            &mut self,
            _: &T,
            origin: Origin,
        ) -> Result<(), Reason> {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _keep4)}(context, origin.0),
                _ => ${concat(rlvs_, $program, _keep6)}(context, origin.0),
            };
            self.refresh();
            Outcome(outcome).reason().map_or(Ok(()), Err)
        }

        #[inline(always)]
        fn follow<F: Respond, T: FamilyTables<F>>(&mut self, _: &T) -> Followed {
            let context = self.context.as_ptr().cast();
            let followed = match (F::INDEX, $leaves) {
                (0, false) => ${concat(rlvs_, $program, _follow4)}(context),
                (0, true) => ${concat(rlvs_, $leaving, _follow4)}(context),
                (_, false) => ${concat(rlvs_, $program, _follow6)}(context),
                (_, true) => ${concat(rlvs_, $leaving, _follow6)}(context),
            };
            self.refresh();
            Followed(followed)
        }

        #[inline(always)]
        fn relate<F, T>(&mut self, _: &T) -> Outcome
        where
            F: Respond,
            T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
        {
            let context = self.context.as_ptr().cast();
            let outcome = match (F::INDEX, $leaves) {
                // Nothing that leaves so is about full NAT, or about a tunnel.
                (0, true) => Outcome(${concat(rlvs_, $leaving, _relate4)}(context)),
                (_, true) => Outcome(${concat(rlvs_, $leaving, _relate6)}(context)),
                (0, false) => Relating {
                    relate: [
                        ${concat(rlvs_, $program, _relate4)},
                        ${concat(rlvs_, $program, _relate_full_nat4)},
                    ],
                    for_tunnel: ${concat(rlvs_, $program, _for_tunnel4)},
                    tunnel: ${concat(rlvs_, $program, _tunnel4)},
                    tunnelled: ${concat(rlvs_, $program, _tunnelled4)},
                    tell_client: ${concat(rlvs_, $program, _tell_client4)},
                }
                .run(
                    context,
                    ${concat(rlvs_, $program, _by_error4)},
                    || Maps.begin_left4(),
                ),
                (_, false) => Relating {
                    relate: [
                        ${concat(rlvs_, $program, _relate6)},
                        ${concat(rlvs_, $program, _relate_full_nat6)},
                    ],
                    for_tunnel: ${concat(rlvs_, $program, _for_tunnel6)},
                    tunnel: ${concat(rlvs_, $program, _tunnel6)},
                    tunnelled: ${concat(rlvs_, $program, _tunnelled6)},
                    tell_client: ${concat(rlvs_, $program, _tell_client6)},
                }
                .run(
                    context,
                    ${concat(rlvs_, $program, _by_error6)},
                    || Maps.begin_left6(),
                ),
            };
            self.refresh();
            outcome
        }

        #[inline(always)]
        fn tunnel<F: Respond, T: Tables>(&mut self, _: &T, number: u32, hash: u32) -> Outcome {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _tunnel4)}(context, number, hash),
                _ => ${concat(rlvs_, $program, _tunnel6)}(context, number, hash),
            };
            self.refresh();
            Outcome(outcome)
        }

        #[inline(always)]
        fn full_nat<F: Respond, T: FamilyTables<F>>(
            &mut self,
            _: &T,
            number: u32,
            lease: Lease,
            brief: Brief,
            told: u64,
        ) -> Outcome {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _full_nat4)}(context, number, lease.0, brief.0, told),
                _ => ${concat(rlvs_, $program, _full_nat6)}(context, number, lease.0, brief.0, told),
            };
            self.refresh();
            Outcome(outcome)
        }

        #[inline(always)]
        fn tell<F: Respond>(&mut self, stream: Stream, brief: Brief) -> Result<u64, Reason> {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _tell4)}(context, stream.0, brief.0),
                _ => ${concat(rlvs_, $program, _tell6)}(context, stream.0, brief.0),
            };
            self.refresh();
            outcome::unpack_word(outcome)
        }

        #[inline(always)]
        fn mend_sctp<F: Packet>(&mut self, at: usize, difference: u32) -> Option<()> {
            let context = self.context.as_ptr().cast();
            let done = match F::INDEX {
                0 => ${concat(rlvs_, $program, _mend_sctp4)}(context, at as u32, difference),
                _ => ${concat(rlvs_, $program, _mend_sctp6)}(context, at as u32, difference),
            };
            self.refresh();
            (done != 0).then_some(())
        }

        #[inline(always)]
        fn respond<F: Respond, T: FamilyTables<F>>(&mut self, _: &T, reason: Reason) -> Outcome {
            let context = self.context.as_ptr().cast();
            let outcome = match F::INDEX {
                0 => ${concat(rlvs_, $program, _respond4)}(context, reason as u32),
                _ => ${concat(rlvs_, $program, _respond6)}(context, reason as u32),
            };
            self.refresh();
            Outcome(outcome)
        }
    };
}

pub(crate) use {seams, stages};
