import { execFile } from 'node:child_process'
import { cp, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { type Copy, DockerfileParser, type From, type Instruction } from 'dockerfile-ast'

/** The result of the last stage of a Dockerfile, with a folder in place of the file system */
export interface Image {
  folder: string
  env: Record<string, string>
  user: string
  command: string[]
  healthcheck: string[]
}

/**
 * Executes a Dockerfile without Docker: each stage in a separate subfolder of `folder`, with the Node of this machine. Supports
 * the instructions that our Dockerfile uses, and throws at any other.
 */
export async function buildImage({
  dockerfile,
  context,
  folder,
}: {
  dockerfile: string
  context: string
  folder: string
}): Promise<Image> {
  const stages = new Map<string, Image>()
  let image: Image | undefined
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    const keyword = instruction.getKeyword()
    if (keyword === 'ARG' || keyword === 'EXPOSE') continue
    if (keyword === 'FROM') {
      const name = (instruction as From).getBuildStage() ?? 'last'
      image = { folder: join(folder, name), env: {}, user: 'root', command: [], healthcheck: [] }
      stages.set(name, image)
    } else if (image) {
      await execute(instruction, image, (name) => (name === undefined ? context : `${stages.get(name)?.folder}`))
    }
  }
  if (!image) throw new Error('The Dockerfile has no FROM')
  return image
}

async function execute(instruction: Instruction, image: Image, sourceOf: (stage?: string) => string): Promise<void> {
  const values = instruction.getArguments().map((argument) => argument.getValue())
  const keyword = instruction.getKeyword()
  if (keyword === 'WORKDIR') {
    image.folder = join(image.folder, values[0] as string)
    await mkdir(image.folder, { recursive: true })
  } else if (keyword === 'ENV') {
    for (const value of values) image.env[value.slice(0, value.indexOf('='))] = value.slice(value.indexOf('=') + 1)
  } else if (keyword === 'COPY') {
    const [from] = (instruction as Copy).getFlags()
    await copy(values, sourceOf(from?.getValue() ?? undefined), image.folder)
  } else if (keyword === 'RUN') {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_prefer_offline: 'true', ...image.env }
    await promisify(execFile)('sh', ['-c', instruction.getRawArgumentsContent() as string], { cwd: image.folder, env })
  } else if (keyword === 'USER') image.user = values[0] as string
  else if (keyword === 'CMD') image.command = execForm(instruction)
  else if (keyword === 'HEALTHCHECK') image.healthcheck = execForm(instruction)
  else throw new Error(`${keyword} is not supported`)
}

async function copy(values: readonly string[], source: string, target: string): Promise<void> {
  const names = values.slice(0, -1)
  const to = values.at(-1) as string
  for (const name of names) {
    const path = to.endsWith('/') ? join(target, to, basename(name)) : join(target, to)
    // Names in another stage are absolute and start with its working directory.
    await cp(join(source, name.replace(/^\/app\//, '')), path, { recursive: true, verbatimSymlinks: true })
  }
}

/** Parses the exec form (JSON), with which the process gets signals directly, without a shell. */
function execForm(instruction: Instruction): string[] {
  const text = instruction.getRawArgumentsContent() as string
  return JSON.parse(text.slice(text.indexOf('[')))
}
