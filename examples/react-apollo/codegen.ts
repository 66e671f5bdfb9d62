import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphqls",
  documents: ["../../operations/*.graphql"],
  emitLegacyCommonJSImports: false,
  silent: true,
  noSilentErrors: true,
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        strictScalars: true,
        scalars: { DateTime: "string", EmailAddress: "string" },
        // ErrorCode and AuditEvent may grow.
        enumsAsTypes: true,
        futureProofEnums: true,
      },
    },
  },
};

export default config;
