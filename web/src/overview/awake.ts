/** A card off the screen keeps what it showed: with thirty coins, most of what arrives would be written where nobody looks. */
import { computed, ref, type ComputedRef, type Ref } from 'vue';

export interface Awake {
  /** For the event of the same name; a browser without it never skips, so all stay awake. */
  note: (event: Event) => void;
  /** The newest value while awake, else the one it fell asleep with. */
  held: <T>(source: Readonly<Ref<T>>) => ComputedRef<T>;
}

export function useAwake(): Awake {
  const awake = ref(true);
  return {
    note: (event) => {
      awake.value = !(event as Event & { skipped?: boolean }).skipped;
    },
    held: <T>(source: Readonly<Ref<T>>) => computed<T>((before) => (awake.value || before === undefined ? source.value : before)),
  };
}
