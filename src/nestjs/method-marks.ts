import { SetMetadata } from "@nestjs/common";
import { Reflector } from "@nestjs/core";

/** A method that takes these arguments, or fewer. Its parameters may have narrower types, such as those of own fields. */
type Method<A extends readonly unknown[]> = {
  call(...args: A): void | Promise<void>;
}["call"];

/** A decorator for methods that take these arguments. */
export type DecoratedMethod<A extends readonly unknown[]> = <F extends Method<A>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<F>,
) => void;

const reflector = new Reflector();

/**
 * Marks of one kind on methods. They are Nest's metadata, which other decorators carry over to the functions with which
 * they replace a method.
 */
export class MethodMarks<T> {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** Makes a decorator that adds a mark to a method. */
  decorator(mark: T): MethodDecorator {
    return (target, key, descriptor) => {
      const marks = [mark, ...this.of(descriptor.value)]; // decorators are evaluated from the last one to the first
      return SetMetadata(this.#key, marks)(target, key, descriptor as PropertyDescriptor) as undefined;
    };
  }

  /** Returns the marks of a method, in the order in which they are written. */
  of(method: unknown): readonly T[] {
    return typeof method === "function" ? (reflector.get(this.#key, method as () => void) ?? []) : [];
  }
}
